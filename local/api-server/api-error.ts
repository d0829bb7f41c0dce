import type { JsonObject } from "./objects.ts";

/** One problem of a field, as in `details.causes` of a 422. `value` undefined leaves "value: " out of the message. */
export interface FieldError {
  reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueTypeInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueNotFound"
    | "FieldValueDuplicate"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldManagerConflict";
  field: string;
  message: string;
}

/** What a request is about, as `details` of a Status names it. */
export interface Subject {
  group: string;
  kind: string;
  name?: string;
}

/** A refusal that reaches the client as a metav1.Status. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject | undefined;
  readonly metadata: JsonObject;

  constructor(code: number, reason: string, message: string, details?: JsonObject, metadata: JsonObject = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.metadata = metadata;
  }

  toStatus(): JsonObject {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: this.metadata,
      status: "Failure",
      message: this.message,
      ...(this.reason && { reason: this.reason }),
      ...(this.details && { details: this.details }),
      code: this.code,
    };
  }
}

function details(subject: Subject, more: JsonObject = {}): JsonObject {
  return {
    ...(subject.name && { name: subject.name }),
    ...(subject.group && { group: subject.group }),
    ...(subject.kind && { kind: subject.kind }),
    ...more,
  };
}

function qualified(subject: Subject): string {
  return subject.group ? `${subject.kind}.${subject.group}` : subject.kind;
}

export function notFound(subject: Subject): ApiError {
  return new ApiError(404, "NotFound", `${qualified(subject)} "${subject.name ?? ""}" not found`, details(subject));
}

export function noSuchResource(): ApiError {
  return new ApiError(404, "NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(subject: Subject, isBeingDeleted = false): ApiError {
  const why = isBeingDeleted ? "object is being deleted: " : "";
  return new ApiError(
    409,
    "AlreadyExists",
    `${why}${qualified(subject)} "${subject.name ?? ""}" already exists`,
    details(subject),
  );
}

export function conflict(subject: Subject, because: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(subject)} "${subject.name ?? ""}": ${because}`;
  return new ApiError(409, "Conflict", message, details(subject));
}

export function staleObject(subject: Subject): ApiError {
  return conflict(
    subject,
    "the object has been modified; please apply your changes to the latest version and try again",
  );
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

export function methodNotAllowed(): ApiError {
  return new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

export function notAcceptable(): ApiError {
  const message = "406: Not Acceptable\n\nAvailable representations: application/json";
  return new ApiError(406, "NotAcceptable", message, {});
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`;
  return new ApiError(415, "UnsupportedMediaType", message);
}

export function tooLarge(limit: number): ApiError {
  return new ApiError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${limit}`);
}

/** `continueToken` leads on through a list whose version is no longer known. */
export function expired(message: string, continueToken?: string): ApiError {
  return new ApiError(410, "Expired", message, undefined, continueToken ? { continue: continueToken } : {});
}

/** Seconds after which a client asks again for a version that this server has not reached. */
const retryAfterSeconds = 1;

/** `resourceVersion` is not there yet, or was of another cluster: clients list again without one. */
export function versionTooLarge(resourceVersion: number, current: number): ApiError {
  const message = `Timeout: Too large resource version: ${resourceVersion}, current: ${current}`;
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  return new ApiError(504, "Timeout", message, { causes, retryAfterSeconds });
}

/** A 422 that lists every problem. */
export function invalid(subject: Subject, errors: readonly FieldError[]): ApiError {
  const messages = errors.map((error) => `${error.field}: ${error.message}`);
  const listed = messages.length === 1 ? messages[0] : `[${messages.join(", ")}]`;
  const causes = errors.map(({ reason, message, field }) => ({ reason, message, field }));
  return new ApiError(
    422,
    "Invalid",
    `${qualified(subject)} "${subject.name ?? ""}" is invalid: ${listed}`,
    details(subject, { causes }),
  );
}

export function requiredField(field: string, detail = ""): FieldError {
  return { reason: "FieldValueRequired", field, message: detail ? `Required value: ${detail}` : "Required value" };
}

export function invalidField(field: string, value: unknown, detail: string): FieldError {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${detail}` };
}

export function forbiddenField(field: string, detail: string): FieldError {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${detail}` };
}

export function unsupportedValue(field: string, value: unknown, supported: readonly unknown[]): FieldError {
  const choices = supported.map((choice) => JSON.stringify(choice)).join(", ");
  return {
    reason: "FieldValueNotSupported",
    field,
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${choices}`,
  };
}

export function duplicateField(field: string, value: unknown): FieldError {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` };
}
