import { closeSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Container } from "../cluster/objects.ts";
import type { ContainerLog } from "./container-log.ts";

const MAX_BYTES = 4096;
const FALLBACK_LINES = 80;
const FALLBACK_BYTES = 2048;

/** Empties the file to which a container may write why it ends. */
export function prepareTerminationMessage(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  writeFileSync(file, "");
}

/** What the container left there; with FallbackToLogsOnError and nothing left, the end of its log. */
export function readTerminationMessage(
  file: string,
  policy: Container["terminationMessagePolicy"],
  exitCode: number,
  log: ContainerLog,
): string {
  const message = firstBytes(file);
  if (message !== "" || policy !== "FallbackToLogsOnError" || exitCode === 0) return message;
  return log.lastLines(FALLBACK_LINES).join("\n").slice(-FALLBACK_BYTES);
}

function firstBytes(file: string): string {
  const bytes = Buffer.alloc(MAX_BYTES);
  try {
    const descriptor = openSync(file, "r");
    try {
      return bytes.toString("utf8", 0, readSync(descriptor, bytes));
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return `reading the termination message failed: ${(error as Error).message}`;
  }
}
