import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

const MAX_FILE_BYTES = 10 * 1024 * 1024;
/** A longer line is cut into pieces, so that a program which never ends its line fills no memory. */
const MAX_LINE_CHARACTERS = 16 * 1024;
/** A follower that reads more slowly than the program writes is let go at this many lines behind. */
const MAX_LINES_BEHIND = 20_000;

/** The flags of `kubectl logs`. */
interface LogFlags {
  tailLines?: number;
  sinceSeconds?: number;
  timestamps?: boolean;
  limitBytes?: number;
  follow?: boolean;
}

export interface LogRequest extends LogFlags {
  namespace: string;
  pod: string;
  /** The first container when none is named. */
  container?: string;
  previous?: boolean;
}

interface Follower {
  entries: string[];
  wake: () => void;
}

/**
 * What one run of a container wrote, as lines `<RFC 3339 time> <text>`. At most two files of 10 MiB are kept: the current
 * one and the one before.
 */
export class ContainerLog {
  private readonly file: string;
  private readonly now: () => number;
  private readonly followers = new Set<Follower>();
  private descriptor: number;
  private bytes = 0;
  private closed = false;
  private rotated = false;

  constructor(file: string, now: () => number) {
    this.file = file;
    this.now = now;
    mkdirSync(dirname(file), { recursive: true });
    this.descriptor = openSync(file, "w");
  }

  /** Copies a process's output into the log until it ends. */
  async copyFrom(output: Readable): Promise<void> {
    for await (const line of linesOf(output)) this.append(line);
  }

  append(line: string): void {
    if (this.closed) return;
    const entry = `${new Date(this.now()).toISOString()} ${line}\n`;
    if (this.bytes > MAX_FILE_BYTES) this.rotate();
    this.bytes += writeSync(this.descriptor, entry);
    for (const follower of this.followers) {
      if (follower.entries.push(entry) > MAX_LINES_BEHIND) this.followers.delete(follower);
      follower.wake();
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.descriptor);
    const followers = [...this.followers];
    this.followers.clear();
    for (const { wake } of followers) wake();
  }

  /** The last `count` lines without their times. */
  lastLines(count: number): string[] {
    return this.written()
      .slice(-count)
      .map((entry) => entry.slice(entry.indexOf(" ") + 1));
  }

  /** What `kubectl logs` prints, line by line, each with its line end. With `follow`, until the run ends or `signal` aborts. */
  async *read(flags: LogFlags, signal: AbortSignal): AsyncGenerator<string> {
    const since =
      flags.sinceSeconds === undefined ? "" : new Date(this.now() - flags.sinceSeconds * 1000).toISOString();
    let budget = flags.limitBytes ?? Infinity;
    for await (const entry of this.entries(flags, since, signal)) {
      const line = flags.timestamps === true ? entry : entry.slice(entry.indexOf(" ") + 1);
      budget -= Buffer.byteLength(line);
      if (budget < 0) return;
      yield line;
    }
  }

  private async *entries({ tailLines, follow }: LogFlags, since: string, signal: AbortSignal): AsyncGenerator<string> {
    const follower: Follower = { entries: [], wake: () => {} };
    if (follow === true && !this.closed) this.followers.add(follower); // before reading: no line falls between
    const written = this.written().filter((entry) => entry.slice(0, entry.indexOf(" ")) >= since);
    const wake = () => follower.wake();
    signal.addEventListener("abort", wake);
    try {
      for (const entry of tailLines === undefined ? written : lastOf(written, tailLines)) yield `${entry}\n`;
      for (;;) {
        yield* follower.entries.splice(0);
        if (signal.aborted || (!this.followers.has(follower) && follower.entries.length === 0)) return;
        if (follower.entries.length === 0) await new Promise<void>((resolve) => (follower.wake = resolve));
      }
    } finally {
      this.followers.delete(follower);
      signal.removeEventListener("abort", wake);
    }
  }

  private written(): string[] {
    const older = this.rotated ? readFileSync(`${this.file}.1`, "utf8") : "";
    return (older + readFileSync(this.file, "utf8")).split("\n").slice(0, -1);
  }

  private rotate(): void {
    closeSync(this.descriptor);
    renameSync(this.file, `${this.file}.1`);
    this.descriptor = openSync(this.file, "w");
    this.rotated = true;
    this.bytes = 0;
  }
}

function lastOf<T>(items: readonly T[], count: number): readonly T[] {
  return count === 0 ? [] : items.slice(-count);
}

async function* linesOf(output: Readable): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of output as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.write(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    while (rest.length > MAX_LINE_CHARACTERS) {
      yield rest.slice(0, MAX_LINE_CHARACTERS);
      rest = rest.slice(MAX_LINE_CHARACTERS);
    }
  }
  if (rest !== "") yield rest;
}
