/** What the runner and its mocha processes tell each other. */
export interface Task {
  /** One after the other, in the same process. */
  readonly files: readonly string[];
  /** Of each file; then it counts as failed. */
  readonly timeoutSeconds: number;
  /** Only tests whose full title contains this. */
  readonly grep?: string;
  readonly forbidSkipped?: boolean;
}

/** `closed`: the file's tests are over, and nothing is left of them that would keep a process alive. */
export type Report = "passed" | "failed" | "skipped" | "closed";

/** Stands between the outputs of two files, in both streams. */
export const FILE_SEPARATOR = "\u001C";
