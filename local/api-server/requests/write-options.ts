import { forbiddenField, invalid, requiredField, unsupportedValue, type FieldError } from "../api-error.ts";
import type { WriteOptions } from "../cluster.ts";
import { flagOf } from "./query.ts";

const kinds: Record<string, string> = { POST: "CreateOptions", PUT: "UpdateOptions", PATCH: "PatchOptions" };
const validations = ["", "Ignore", "Strict", "Warn"];

/** Who writes and how, from the query of a create, update or patch; without a manager's name the client's own is taken. */
export function writeOptions(
  method: string,
  query: URLSearchParams,
  userAgent: string,
  isApply: boolean,
): WriteOptions {
  const validation = query.get("fieldValidation") ?? "";
  const given = query.get("fieldManager") ?? "";
  const errors: FieldError[] = dryRunErrors(query.getAll("dryRun"));
  if (!validations.includes(validation)) errors.push(unsupportedValue("fieldValidation", validation, validations));
  if (method === "PATCH" && isApply && given === "")
    errors.push(requiredField("fieldManager", "is required for apply patch"));
  if (method === "PATCH" && !isApply && query.has("force"))
    errors.push(forbiddenField("force", "may not be specified for non-apply patch"));
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: kinds[method] ?? "PatchOptions" }, errors);
  return {
    fieldManager: given || (userAgent.split("/")[0] ?? ""),
    fieldValidation: validation === "Ignore" || validation === "Strict" ? validation : "Warn",
    dryRun: query.has("dryRun"),
    force: flagOf(query, "force"),
    warnings: [],
  };
}

/** The only dry run is of all stages. */
export function dryRunErrors(wanted: readonly unknown[]): FieldError[] {
  return wanted.every((stage) => stage === "All") ? [] : [unsupportedValue("dryRun", wanted, ["All"])];
}
