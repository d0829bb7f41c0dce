import type { WriteStream } from "node:tty";
import type { Line } from "./progress.ts";

const MARKS = { waiting: "…", done: "✓", failed: "✗" } as const;

/** A terminal, or a file or pipe that can only be added to. */
export type Output = Pick<WriteStream, "write"> & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;

/** Shows how things stand: on a terminal redrawn in place, elsewhere one line per change. */
export class ProgressDisplay {
  private readonly output: Output;
  private readonly told = new Map<string, string>();
  private drawn = 0;
  private drawing = "";

  constructor(output: Output) {
    this.output = output;
  }

  show(lines: readonly Line[]): void {
    if (this.output.isTTY === true) this.redraw(lines);
    else this.tellChanges(lines);
  }

  /** What is shown stays; later output goes below it. */
  finish(): void {
    this.drawn = 0;
  }

  private redraw(lines: readonly Line[]): void {
    const { columns, rows } = this.output;
    // A line that wraps or scrolls could not be taken back. A terminal that knows no size says 0.
    const fitting = lines.slice(0, (rows || 24) - 2).map((line) => text(line).slice(0, (columns || 80) - 1));
    const drawing = fitting.map((line) => `${line}\n`).join("");
    if (drawing === this.drawing) return;
    const up = this.drawn === 0 ? "" : `\u001b[${this.drawn}A`;
    this.output.write(`${up}\r\u001b[J${drawing}`);
    this.drawing = drawing;
    this.drawn = fitting.length;
  }

  private tellChanges(lines: readonly Line[]): void {
    for (const line of lines) {
      if (this.told.get(line.name) === text(line)) continue;
      this.told.set(line.name, text(line));
      this.output.write(`${text(line)}\n`);
    }
  }
}

function text({ mark, name, detail }: Line): string {
  return `  ${MARKS[mark]} ${name}${detail === "" ? "" : `  ${detail}`}`;
}
