import { randomUUIDv7 } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Short enough for a log line, and without anything that could forge one. */
const SANE = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** The caller's x-request-id when it is sane, else a new one that sorts by time. */
export function requestId(headers: IncomingHttpHeaders): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && SANE.test(given) ? given : newId();
}

/** So many of an id's last digits count. */
const COUNTING = 7;
const MOST = 16 ** COUNTING - 1;
const latest = { at: Number.NaN, start: "", count: 0 };

/** A UUIDv7. Those of one millisecond count on from a random one (RFC 9562, 6.2, method 2): that costs a fifth. */
function newId(): string {
  const now = Date.now();
  if (now !== latest.at || latest.count === MOST) {
    const id = randomUUIDv7();
    latest.at = now;
    latest.start = id.slice(0, -COUNTING);
    latest.count = Number.parseInt(id.slice(-COUNTING), 16);
  } else {
    latest.count += 1;
  }
  return latest.start + latest.count.toString(16).padStart(COUNTING, "0");
}
