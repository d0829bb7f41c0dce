import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

import { Agent, request } from "undici";

import { lookupAllowed } from "../source/link-local.ts";
import type { Line, Sink, Written } from "./sink.ts";

/** CloudEvents 1.0.2, "Size Limits": every intermediary forwards an event of this size. */
const MAX_EVENT_BYTES = 65_536;
/** What an event has besides its data. */
const ENVELOPE_BYTES = 4_096;
const EVENT_TYPE = "dev.slipway.prediction";
const CONNECTIONS = 16;
const TIMEOUT_MS = 10_000;
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 250;
/** Whatever a receiver's Retry-After says. */
const LONGEST_WAIT_MS = 5_000;

export interface HttpSinkOptions {
  /** Value of the Authorization header; a secret. */
  readonly authorization: string | undefined;
  /** 1: structured content mode; more: batched content mode. */
  readonly eventsPerRequest: number;
  /** Whose predictions they are: the events' `source`, a URI reference. */
  readonly source: string;
}

/**
 * Lines as CloudEvents 1.0 in JSON, by the HTTP protocol binding 1.0.2: each in a request of its own (section 3.2), or
 * several in one (section 3.3), which not every receiver takes.
 */
export function httpSink(url: URL, options: HttpSinkOptions): Sink {
  const { authorization, eventsPerRequest } = options;
  const agent = new Agent({
    connections: CONNECTIONS,
    connect: { timeout: TIMEOUT_MS, lookup: lookupAllowed },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  const closing = new AbortController();
  const events = new EventWriter(options.source);
  const headers = {
    "content-type": `application/cloudevents${eventsPerRequest > 1 ? "-batch" : ""}+json; charset=UTF-8`,
    ...(authorization !== undefined && { authorization }),
  };

  /** Throws when the receiver does not take it, for now or for ever. */
  const post = async (body: string): Promise<void> => {
    const response = await request(url, { method: "POST", dispatcher: agent, headers, body, signal: closing.signal });
    const { statusCode } = response;
    await response.body.dump({ limit: 65_536, signal: closing.signal });
    if (statusCode >= 200 && statusCode < 300) return;
    throw new RefusedError(statusCode, Number(response.headers["retry-after"]) * 1000);
  };

  const send = async (lines: readonly Line[]): Promise<Written> => {
    const json = lines.map((line) => events.write(line));
    const body = eventsPerRequest > 1 ? `[${json.join()}]` : json.join();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await post(body);
        return { written: lines.length };
      } catch (error) {
        const isFinal = error instanceof RefusedError && !error.isTransient;
        if (isFinal || attempt === ATTEMPTS || closing.signal.aborted) return { written: 0, error: error as Error };
        await delay(waitBefore(attempt, error), undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  };

  return {
    maxLineBytes: MAX_EVENT_BYTES - ENVELOPE_BYTES,
    async write(lines) {
      const requests = Array.from({ length: Math.ceil(lines.length / eventsPerRequest) }, (_, index) =>
        send(lines.slice(index * eventsPerRequest, (index + 1) * eventsPerRequest)),
      );
      const all = await Promise.all(requests);
      const error = all.find((result) => result.error)?.error;
      return { written: all.reduce((sum, { written }) => sum + written, 0), ...(error && { error }) };
    },
    async close() {
      closing.abort(new Error("the log is being closed"));
      await agent.destroy();
    },
  };
}

/** Each event gets an id of its own: a request's id may come twice, and receivers drop what they saw before. */
class EventWriter {
  readonly #process = randomBytes(8).toString("hex");
  readonly #fixed: string;
  #count = 0;

  constructor(source: string) {
    const fixed = { specversion: "1.0", type: EVENT_TYPE, source, datacontenttype: "application/json" };
    this.#fixed = JSON.stringify(fixed).slice(0, -1);
  }

  write({ json, requestId, time }: Line): string {
    this.#count += 1;
    const id = `${this.#process}-${this.#count}`;
    return `${this.#fixed},"id":"${id}","time":"${time}","subject":${JSON.stringify(requestId)},"data":${json}}`;
  }
}

class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly isTransient: boolean;
  readonly retryAfterMs: number;

  constructor(status: number, retryAfterMs: number) {
    super(`the receiver answered ${status}`);
    this.isTransient = status >= 500 || status === 429 || status === 408;
    this.retryAfterMs = retryAfterMs;
  }
}

function waitBefore(attempt: number, error: unknown): number {
  const asked = error instanceof RefusedError ? error.retryAfterMs : Number.NaN;
  const own = FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
  return Math.min(asked >= 0 ? Math.max(asked, own) : own, LONGEST_WAIT_MS);
}
