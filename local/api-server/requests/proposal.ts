import type { Managed } from "../apply/managed-fields.ts";
import type { JsonObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { withSchemaDefaults } from "../schema/defaults.ts";
import { omitEmpty } from "../schema/omit-empty.ts";

/** An object as it would be after a write, before the server's own fields and checks. `managed` is set by server-side apply. */
export interface Proposal {
  object: JsonObject;
  managed?: Managed[];
}

/** The object with every default of its kind. */
export function withDefaults(resource: Resource, object: JsonObject): JsonObject {
  if (resource.isCustom) return withSchemaDefaults(object, resource.schema);
  const trimmed = omitEmpty(object, resource.schema) as JsonObject;
  resource.behaviour.applyDefaults?.(trimmed);
  return trimmed;
}
