import { globSync, readFileSync } from "node:fs";

export interface SourceFile {
  /** From the project's folder. */
  readonly path: string;
  readonly text: string;
}

/** Every file that people of this project write in TypeScript or JavaScript. */
export function sourceFiles(): SourceFile[] {
  return globSync("{operator,runtime,local,scripts,bench,test}/**/*.{ts,mjs}").map((path) => ({
    path,
    text: readFileSync(path, "utf8"),
  }));
}

/** Line of an offset, from 1, as editors count. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
