import { createHmac, timingSafeEqual } from "node:crypto";

/** What a request id says of the answer that it came with. */
export interface PredictionRecord {
  readonly version: string;
  readonly revision: string | undefined;
  readonly kind: "classification" | "regression";
  /** One for each row. */
  readonly predictions: readonly unknown[];
  /** When the request came, in milliseconds since 1970. */
  readonly at: number;
}

export type RefusedId = "not_self_describing" | "malformed" | "forged" | "expired";

/** Ids go into headers and logs; an answer of so many rows that its id would be longer gets no feedback. */
const MAX_PAYLOAD = 1024;
/** A clock that is ahead of ours by this much is no forgery. */
const CLOCK_SKEW_MS = 300_000;
const ID = /^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\.([\w-]+)(?:\.([\w-]{43}))?$/;

/**
 * Request ids that carry version, revision and prediction, so that any pod of any version can count the feedback for
 * them: `UUID.PAYLOAD[.HMAC]`. The UUID is a v7, whose first 48 bits are the time.
 */
export class PredictionIds {
  readonly #key: string | undefined;
  readonly #maxAgeMs: number;

  /** With a `key`, ids are signed, and only those that were signed with it are taken. */
  constructor(key: string | undefined, maxAgeMs: number) {
    this.#key = key;
    this.#maxAgeMs = maxAgeMs;
  }

  /** `uuid` itself when there are too many predictions to be carried. */
  write(uuid: string, { version, revision, kind, predictions }: Omit<PredictionRecord, "at">): string {
    const text = JSON.stringify([version, revision ?? "", kind === "regression" ? "r" : "c", ...predictions]);
    if (text.length > MAX_PAYLOAD) return uuid;
    const id = `${uuid}.${Buffer.from(text).toString("base64url")}`;
    return this.#key === undefined ? id : `${id}.${sign(id, this.#key)}`;
  }

  /** `now` is in milliseconds since 1970. */
  read(id: string, now: number): PredictionRecord | RefusedId {
    const [, uuid, payload, signature] = ID.exec(id) ?? [];
    if (uuid === undefined || payload === undefined) return "not_self_describing";
    if (this.#key !== undefined) {
      const expected = Buffer.from(sign(`${uuid}.${payload}`, this.#key));
      const given = Buffer.from(signature ?? "");
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "forged";
    }
    const at = Number.parseInt(uuid.replace("-", "").slice(0, 12), 16);
    if (at + this.#maxAgeMs < now) return "expired";
    if (at > now + CLOCK_SKEW_MS) return "malformed";
    return recordOf(payload, at) ?? "malformed";
  }
}

function recordOf(payload: string, at: number): PredictionRecord | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length < 4) return undefined;
  const [version, revision, kind, ...predictions] = fields as unknown[];
  if (typeof version !== "string" || typeof revision !== "string" || (kind !== "c" && kind !== "r")) return undefined;
  return {
    version,
    revision: revision || undefined,
    kind: kind === "r" ? "regression" : "classification",
    predictions,
    at,
  };
}

const sign = (text: string, key: string): string => createHmac("sha256", key).update(text).digest("base64url");
