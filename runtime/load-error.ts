import type { LoadFailureReason } from "./contract.ts";

/**
 * The model cannot be served. The message says what was attempted, on what, and what to do; it holds no credentials.
 * Only an unavailable source is worth a quick retry unless `permanent` says otherwise.
 */
export class LoadError extends Error {
  override readonly name = "LoadError";
  readonly reason: LoadFailureReason;
  readonly permanent: boolean;

  constructor(reason: LoadFailureReason, message: string, options: { permanent?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.permanent = options.permanent ?? reason !== "SourceUnavailable";
  }
}
