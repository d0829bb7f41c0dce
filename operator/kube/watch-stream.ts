import { KubeError, type Status } from "./errors.ts";
import type { KubeObject } from "./objects.ts";

/** One line of a watch. A BOOKMARK's object has only metadata.resourceVersion. */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  object: T;
}

// Objects are at most 3 MB in etcd's default limits; an endless line must not take the memory.
const maxLineLength = 16 * 1024 * 1024;

/**
 * Reads a watch response's lines. A last line without its newline was cut off and is dropped: its event comes again
 * when the watch resumes. An ERROR event is thrown as KubeError (410 means: list again).
 */
export async function* decodeWatch(action: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const bytes of body) {
    const lines = decoder.decode(bytes, { stream: true }).split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const whole = pending + line;
      pending = "";
      if (whole.trim() !== "") yield decodeEvent(action, whole);
    }
    pending += rest;
    if (pending.length > maxLineLength) {
      throw new KubeError(`${action}: an event is longer than ${maxLineLength} characters`, {
        status: 0,
        reason: "InvalidAnswer",
      });
    }
  }
}

function decodeEvent(action: string, line: string): WatchEvent {
  let event: { type: string; object: unknown };
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new KubeError(`${action}: an event is not JSON: ${line.slice(0, 100)}`, {
      status: 0,
      reason: "InvalidAnswer",
      cause,
    });
  }
  if (event.type === "ERROR") throw KubeError.fromStatus(action, event.object as Status, 500);
  return event as WatchEvent;
}
