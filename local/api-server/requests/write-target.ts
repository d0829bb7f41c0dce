import type { Subject } from "../api-error.ts";
import type { Resource } from "../resources/resource.ts";

/** Which object of which endpoint is written. */
export interface WriteTarget {
  resource: Resource;
  namespace: string | undefined;
  name: string;
  subresource: "status" | "scale" | undefined;
}

/** How an error names the object. */
export function subjectOf(resource: Resource, name: string): Subject {
  return { group: resource.group, kind: resource.plural, name };
}

/** How an error about an object's content names it. */
export function kindSubject(resource: Resource, name: string): Subject {
  return { group: resource.group, kind: resource.kind, name };
}
