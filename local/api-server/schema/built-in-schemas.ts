import { readFileSync } from "node:fs";
import type { Schema } from "./schema.ts";

type Referring = Schema & { $ref?: string };

/**
 * The schemas of the built-in kinds by their OpenAPI name (`io.k8s.api.apps.v1.Deployment`), references resolved.
 * The data is what a real API server of the named version publishes, without descriptions.
 */
export function builtInSchemas(): Map<string, Schema> {
  const data = readFileSync(new URL("./kubernetes.json", import.meta.url), "utf8");
  const definitions = JSON.parse(data) as Record<string, Referring>;
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
