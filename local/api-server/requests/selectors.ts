import { ApiError, badRequest } from "../api-error.ts";
import { textOf, type KubeObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { readJsonPath } from "../tables/json-path.ts";

export type Predicate = (object: KubeObject) => boolean;

/** Both selectors of a list or watch request, as one predicate. */
export function selection(resource: Resource, query: URLSearchParams, name: string | undefined): Predicate {
  const parts: Predicate[] = [];
  const labels = query.get("labelSelector");
  const fields = query.get("fieldSelector");
  if (labels) parts.push(labelSelector(labels));
  if (fields) parts.push(fieldSelector(resource, fields));
  if (name !== undefined) parts.push((object) => object.metadata.name === name);
  return (object) => parts.every((matches) => matches(object));
}

function labelSelector(text: string): Predicate {
  const requirements = splitRequirements(text).map(labelRequirement);
  return (object) => requirements.every((matches) => matches(object.metadata.labels ?? {}));
}

/** Splits at the commas that are not within `in (...)`. */
function splitRequirements(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function labelRequirement(text: string): (labels: Record<string, string>) => boolean {
  const set = /^([^\s!=]+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return (labels) => values.includes(labels[key] ?? "\0") === (operator === "in");
  }
  const equality = /^([^\s!=<>]+)\s*(==|=|!=)\s*([^\s=!<>]*)$/.exec(text);
  if (equality) {
    const [, key = "", operator, value = ""] = equality;
    return (labels) => (labels[key] === value) === (operator !== "!=");
  }
  const compared = /^([^\s!=<>]+)\s*(>|<|gt|lt)\s*(-?\d+)$/.exec(text);
  if (compared) {
    const [, key = "", operator = "", bound] = compared;
    return (labels) => {
      const value = Number(labels[key] ?? Number.NaN);
      return operator === ">" || operator === "gt" ? value > Number(bound) : value < Number(bound);
    };
  }
  const existence = /^(!?)\s*([A-Za-z0-9][\w./-]*)$/.exec(text);
  if (existence) {
    const [, absent, key = ""] = existence;
    return (labels) => key in labels === (absent === "");
  }
  const unexpected = text.split(/\s+/)[1] ?? text;
  throw badRequest(`unable to parse requirement: found '${unexpected}', expected: in, notin, =, ==, !=, gt, lt`);
}

function fieldSelector(resource: Resource, text: string): Predicate {
  const known = ["metadata.name", "metadata.namespace", ...resource.selectableFields];
  const requirements = splitRequirements(text).map((part) => {
    const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(part);
    if (match === null)
      throw new ApiError(400, "BadRequest", `invalid field selector: '${part}'; can't understand '${part}'`);
    const [, field = "", operator, value = ""] = match;
    if (!known.includes(field)) {
      const names = known.map((name) => JSON.stringify(name)).join(", ");
      throw badRequest(`${JSON.stringify(field)} is not a known field selector: only ${names}`);
    }
    return { field, equal: operator !== "!=", value };
  });
  return (object) => requirements.every(({ field, equal, value }) => (fieldText(object, field) === value) === equal);
}

function fieldText(object: KubeObject, field: string): string {
  const value = readJsonPath(object, `.${field === "source" ? "source.component" : field}`);
  if (value === undefined || value === null)
    return field === "spec.unschedulable" || field === "spec.hostNetwork" ? "false" : "";
  return textOf(value);
}
