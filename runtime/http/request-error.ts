import { DeadlineError, QueueFullError } from "../batching/micro-batcher.ts";
import { InferError } from "../protocol/infer-error.ts";
import type { Problem } from "../protocol/row-forms.ts";
import type { ModelIdentity } from "../served-model.ts";

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

/** Throws a RequestError when the request is for another model or another version. */
export function requireIdentity(identity: ModelIdentity, name: string, version: string): void {
  if (name === identity.name && version === identity.version) return;
  throw new RequestError(404, `this server has model ${identity.name} version ${identity.version} only`, {
    reason: "not_found",
  });
}

export const busy = (message: string, reason: "not_ready" | "overloaded"): RequestError =>
  new RequestError(503, `${message}: try again`, { reason, headers: { "retry-after": "1" } });

/** What to answer when handling a request threw this. */
export function answerable(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  if (thrown instanceof QueueFullError) return busy(thrown.message, "overloaded");
  if (thrown instanceof DeadlineError) return new RequestError(504, thrown.message, { reason: "deadline" });
  if (thrown instanceof InferError) return new RequestError(400, thrown.message);
  return new RequestError(500, "the model failed on this input; the log has the cause under this request_id", {
    reason: "internal",
  });
}
