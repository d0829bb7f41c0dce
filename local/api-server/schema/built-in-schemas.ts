import { readFileSync } from "node:fs";
import type { Schema } from "./schema.ts";

/** A schema in whose parts, or in whose place, the name of another may stand. */
export type Referring = Schema & { $ref?: string };

/**
 * The schemas of the built-in kinds by their OpenAPI name (`io.k8s.api.apps.v1.Deployment`), which is how they refer to
 * each other. The data is what a real API server of the named version publishes, without descriptions.
 */
export function publishedDefinitions(): Record<string, Referring> {
  const data = readFileSync(new URL("./kubernetes.json", import.meta.url), "utf8");
  return JSON.parse(data) as Record<string, Referring>;
}

/** The same, references resolved. */
export function builtInSchemas(): Map<string, Schema> {
  const definitions = publishedDefinitions();
  const resolve = (schema: Referring): Schema => {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      (schema.properties ?? {})[name] = target(property);
    }
    if (schema.items) schema.items = target(schema.items);
    if (typeof schema.additionalProperties === "object")
      schema.additionalProperties = target(schema.additionalProperties);
    return schema;
  };
  const target = (schema: Referring): Schema => {
    if (schema.$ref === undefined) return resolve(schema);
    const definition = definitions[schema.$ref];
    if (definition === undefined) throw new Error(`resolving ${schema.$ref}: kubernetes.json has no such definition`);
    const { $ref: _, ...own } = schema;
    return Object.keys(own).length === 0 ? definition : { ...definition, ...own };
  };
  for (const [name, definition] of Object.entries(definitions)) {
    definition["x-kubernetes-go-struct"] = name.split(".").slice(-2).join(".");
  }
  for (const definition of Object.values(definitions)) resolve(definition);
  return new Map(Object.entries(definitions));
}
