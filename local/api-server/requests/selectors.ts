import { badRequest } from "../api-error.ts";
import { textOf, type KubeObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { parseLabelSelector } from "./label-selector.ts";
import { readJsonPath } from "../tables/json-path.ts";

export type Predicate = (object: KubeObject) => boolean;

/** Both selectors of a list or watch request, as one predicate. */
export function selection(resource: Resource, query: URLSearchParams): Predicate {
  const parts: Predicate[] = [];
  const labels = query.get("labelSelector");
  const fields = query.get("fieldSelector");
  if (labels) {
    const matches = parseLabelSelector(labels);
    parts.push((object) => matches(object.metadata.labels ?? {}));
  }
  if (fields) parts.push(fieldSelector(resource, fields));
  return (object) => parts.every((matches) => matches(object));
}

function fieldSelector(resource: Resource, text: string): Predicate {
  const known = ["metadata.name", "metadata.namespace", ...resource.selectableFields];
  const parts = text.split(",").filter((part) => part !== "");
  const requirements = parts.map((part) => {
    const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(part);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
    const [, field = "", operator, value = ""] = match;
    if (!known.includes(field)) {
      if ((resource.isCustom || resource.group === "") && resource.selectableFields.length > 0)
        throw badRequest(`field label not supported: ${field}`);
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
