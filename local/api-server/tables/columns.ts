import type { KubeObject } from "../objects.ts";

export type Cell = string | number | boolean | null;

/** One column of a server-side table. */
export interface Column {
  name: string;
  type: string;
  format: string;
  description: string;
  /** 0 is always shown, 1 only with `-o wide`. */
  priority: number;
  cell(object: KubeObject, now: number): Cell;
}
