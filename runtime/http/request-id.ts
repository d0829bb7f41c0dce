import { randomUUIDv7 } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Short enough for a log line, and without anything that could forge one. */
const SANE = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** The caller's x-request-id when it is sane, else a new one that sorts by time. */
export function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && SANE.test(given) ? given : randomUUIDv7();
}
