import type { Problem } from "../protocol/rows.ts";

/** Label of ml_prediction_errors_total. */
export type ErrorReason = "invalid_request" | "not_found" | "not_ready" | "overloaded" | "deadline" | "internal";

interface Details {
  readonly reason?: ErrorReason;
  readonly headers?: Readonly<Record<string, string>>;
  /** What is wrong with which field. */
  readonly problems?: readonly Problem[];
}

/** An answer other than 200; each protocol writes it in its own JSON. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;
  readonly reason: ErrorReason;
  readonly headers: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[] | undefined;

  constructor(status: number, message: string, { reason = "invalid_request", headers = {}, problems }: Details = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
    this.problems = problems;
  }
}

/** The client went away while it was still sending: nobody is left to answer. */
export class ClientGoneError extends Error {
  override readonly name = "ClientGoneError";
}
