/** The API server's answer to a failed request (meta/v1 Status), as far as we read it. */
export interface Status {
  kind?: string;
  code?: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}

interface KubeErrorInit {
  status: number;
  reason: string;
  details?: StatusDetails | undefined;
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

/**
 * A request that the API server refused or never answered. `status` is the HTTP status, or 0 when no answer came
 * (`reason` is then `ConnectionFailed` or `Timeout`); `reason` is the server's own word for it ("NotFound", "Conflict", …).
 */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, init: KubeErrorInit) {
    super(message, { cause: init.cause });
    this.status = init.status;
    this.reason = init.reason;
    this.details = init.details;
    this.retryAfterSeconds = init.retryAfterSeconds ?? init.details?.retryAfterSeconds;
  }

  /** From a Status body (or an ERROR watch event's object). `action` says what was attempted, on what. */
  static fromStatus(action: string, status: Status, httpStatus: number, retryAfterSeconds?: number): KubeError {
    const code = status.code ?? httpStatus;
    return new KubeError(`${action}: ${status.message ?? `the API server answered ${code}`}`, {
      status: code,
      reason: status.reason ?? reasonByStatus[code] ?? "Unknown",
      details: status.details,
      retryAfterSeconds,
    });
  }
}

// Proxies and old aggregated servers answer without a Status body.
const reasonByStatus: Record<number, string> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

export const isNotFound = (error: unknown): error is KubeError => hasStatus(error, 404);
export const isForbidden = (error: unknown): error is KubeError => hasStatus(error, 403);
export const isInvalid = (error: unknown): error is KubeError => hasStatus(error, 422);
export const isTooManyRequests = (error: unknown): error is KubeError => hasStatus(error, 429);

/** The object changed since it was read (resourceVersion or uid precondition), or another field manager owns a field. */
export const isConflict = (error: unknown): error is KubeError =>
  hasStatus(error, 409) && error.reason !== "AlreadyExists";

/** A create met an object of that name. */
export const isAlreadyExists = (error: unknown): error is KubeError =>
  hasStatus(error, 409) && error.reason === "AlreadyExists";

/** A resourceVersion or continue token is too old to be served: list again. */
export const isExpired = (error: unknown): error is KubeError => hasStatus(error, 410);

function hasStatus(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}
