import type { JsonObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { publishedDefinitions, type Referring } from "../schema/built-in-schemas.ts";
import type { Schema } from "../schema/schema.ts";

export type Components = Record<string, JsonObject>;

const definitions = publishedDefinitions();
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
const extensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";
/** What this server's own data says of these differs from what is published: it validates by it. */
const published: Components = {
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
    oneOf: [{ type: "integer" }, { type: "string" }],
    format: "int-or-string",
  },
  [`${meta}.FieldsV1`]: { type: "object" },
  [`${extensions}.CustomResourceSubresourceStatus`]: { type: "object" },
  [`${extensions}.JSON`]: {},
  [`${extensions}.JSONSchemaPropsOrArray`]: {},
  [`${extensions}.JSONSchemaPropsOrBool`]: {},
  [`${extensions}.JSONSchemaPropsOrStringArray`]: {},
};
/** What a deletion is answered with. */
export const statusComponent = `${meta}.Status`;
export const scaleComponent = "io.k8s.api.autoscaling.v1.Scale";

export function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** The schemas of a kind, of its list, of other answers for it, and of all that they refer to. */
export function components(resource: Resource, name: string): Components {
  const found: Components = {};
  const own = resource.isCustom ? customSchema(resource.schema, found) : builtInComponent(name, found);
  const more = resource.isCustom && resource.selectableFields.length > 0 && selectable(resource);
  found[name] = { ...own, ...kindOf(resource, resource.kind), ...more };
  found[`${name}List`] = {
    ...listSchema(resource, name, found),
    ...kindOf(resource, resource.listKind),
    ...more,
  };
  builtInComponent(statusComponent, found);
  if (resource.scale) builtInComponent(scaleComponent, found);
  return found;
}

function kindOf({ group, version }: Resource, kind: string): JsonObject {
  return { "x-kubernetes-group-version-kind": [{ group, kind, version }] };
}

function selectable({ selectableFields }: Resource): JsonObject {
  return { "x-kubernetes-selectable-fields": selectableFields.map((fieldPath) => ({ fieldPath })) };
}

/** A user's schema as it is; only its metadata is the API server's own. */
function customSchema(schema: Schema, found: Components): JsonObject {
  const description = schema.properties?.["metadata"]?.description;
  const metadata = { allOf: [referTo(`${meta}.ObjectMeta`, found)], ...(description && { description }) };
  return { ...schema, properties: { ...schema.properties, metadata } };
}

function listSchema({ isCustom }: Resource, name: string, found: Components): JsonObject {
  const text = { type: "string" };
  const metadata = { allOf: [referTo(`${meta}.ListMeta`, found)] };
  const items = { allOf: [reference(name)], default: {} };
  return {
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: text,
      items: { type: "array", items: isCustom ? reference(name) : items },
      kind: text,
      metadata: isCustom ? metadata : { ...metadata, default: {} },
    },
  };
}

function builtInComponent(name: string, found: Components): JsonObject {
  const known = found[name];
  if (known !== undefined) return known;
  const definition = definitions[name];
  if (definition === undefined) throw new Error(`publishing ${name}: kubernetes.json has no such definition`);
  found[name] = {}; // holds the place while the schema's own parts refer back to it
  return (found[name] = published[name] ?? builtInSchema(definition, found));
}

function referTo(name: string, found: Components): JsonObject {
  builtInComponent(name, found);
  return reference(name);
}

/** A schema of the data, its references as OpenAPI v3 writes them: beside a reference nothing else may stand. */
function builtInSchema(schema: Referring, found: Components): JsonObject {
  const { $ref, properties, items, additionalProperties, "x-kubernetes-proto": _, ...own } = schema;
  return {
    ...own,
    ...($ref !== undefined && { allOf: [referTo($ref, found)] }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, value]) => [field, builtInSchema(value, found)]),
      ),
    }),
    ...(items && { items: partSchema(items, found) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === "object" ? partSchema(additionalProperties, found) : additionalProperties,
    }),
  };
}

/** Items have no description of their own, so nothing may stand beside their reference. */
function partSchema(schema: Referring, found: Components): JsonObject {
  return schema.$ref !== undefined && Object.keys(schema).length === 1
    ? referTo(schema.$ref, found)
    : builtInSchema(schema, found);
}
