import {
  ApiError,
  badRequest,
  forbiddenField,
  invalid,
  unsupportedValue,
  versionTooLarge,
  type FieldError,
} from "../api-error.ts";
import { integerOf } from "./query.ts";

/** Refuses what a list or watch must not ask for, before anything is looked up. */
export function checkListOptions(query: URLSearchParams, isWatch: boolean): void {
  for (const name of ["limit", "timeoutSeconds"]) integerOf(query, name);
  const errors = isWatch ? watchErrors(query) : listErrors(query);
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, errors);
  const version = versionOf(query);
  if (!isWatch && query.get("continue") && version !== "" && version !== "0")
    throw badRequest("specifying resource version is not allowed when using continue");
}

/** Refuses a version that is none, and one that the server, which is at `current`, has not reached. */
export function checkVersion(query: URLSearchParams, current: number): void {
  const version = Number(versionOf(query));
  if (version > current) throw versionTooLarge(version, current);
}

function versionOf(query: URLSearchParams): string {
  const version = query.get("resourceVersion") ?? "";
  if (/^\d*$/.test(version)) return version;
  const why = `strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`;
  throw new ApiError(500, "", `resourceVersion: Invalid value: ${JSON.stringify(version)}: ${why}`);
}

const field = "resourceVersionMatch";

function listErrors(query: URLSearchParams): FieldError[] {
  const errors: FieldError[] = [];
  const match = query.get(field) ?? "";
  const version = query.get("resourceVersion") ?? "";
  if (match !== "") {
    if (version === "") errors.push(forbiddenField(field, `${field} is forbidden unless resourceVersion is provided`));
    if (query.get("continue")) errors.push(forbiddenField(field, `${field} is forbidden when continue is provided`));
    if (match !== "Exact" && match !== "NotOlderThan")
      errors.push(unsupportedValue(field, match, ["Exact", "NotOlderThan", ""]));
    if (match === "Exact" && version === "0")
      errors.push(forbiddenField(field, `${field} "exact" is forbidden for resourceVersion "0"`));
  }
  if (query.has("sendInitialEvents"))
    errors.push(forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  return errors;
}

function watchErrors(query: URLSearchParams): FieldError[] {
  const errors: FieldError[] = [];
  const match = query.get(field) ?? "";
  const wantsState = query.has("sendInitialEvents");
  if (wantsState && match !== "NotOlderThan")
    errors.push(forbiddenField(field, `sendInitialEvents requires setting ${field} to NotOlderThan`));
  if (match !== "") {
    if (!wantsState)
      errors.push(forbiddenField(field, `${field} is forbidden for watch unless sendInitialEvents is provided`));
    if (match !== "NotOlderThan") errors.push(unsupportedValue(field, match, ["NotOlderThan"]));
  }
  return errors;
}
