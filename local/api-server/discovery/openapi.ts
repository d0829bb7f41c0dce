import { createHash } from "node:crypto";
import type { JsonObject } from "../objects.ts";
import type { Registry } from "../resources/registry.ts";
import type { Resource } from "../resources/resource.ts";
import type { Schema } from "../schema/schema.ts";

/** The index of OpenAPI v3 documents, one per group and version. */
export function openApiIndex(registry: Registry): JsonObject {
  const paths: JsonObject = {};
  for (const path of documentPaths(registry)) {
    const hash = createHash("sha256")
      .update(JSON.stringify(openApiDocument(registry, path)))
      .digest("hex")
      .slice(0, 32);
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
  }
  return { paths };
}

function documentPaths(registry: Registry): string[] {
  return [...new Set(registry.all().map(pathOf))];
}

function pathOf({ group, version }: Resource): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}

/** The document of one group and version (`apis/apps/v1`), or undefined when nothing is served there. */
export function openApiDocument(registry: Registry, path: string): JsonObject | undefined {
  const resources = registry.all().filter((resource) => pathOf(resource) === path);
  if (resources.length === 0) return undefined;
  const definitions = new Definitions();
  const paths: JsonObject = {};
  for (const resource of resources) Object.assign(paths, pathsOf(resource, definitions));
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.36.3" },
    paths,
    components: { schemas: definitions.schemas },
  };
}

/** kubectl looks for these on every write before it trusts the server to validate. */
const writeParameters = ["dryRun", "fieldManager", "fieldValidation"].map((name) => ({
  name,
  in: "query",
  schema: { type: "string", uniqueItems: true },
}));

function pathsOf(resource: Resource, definitions: Definitions): JsonObject {
  const { group, version, kind, plural, namespaced } = resource;
  const reference = definitions.add(resource);
  const gvk = { "x-kubernetes-group-version-kind": { group, kind, version } };
  const body = { content: { "application/json": { schema: { $ref: reference } } } };
  const answer = { responses: { 200: { description: "OK", ...body } } };
  const write = (action: string): JsonObject => ({
    ...gvk,
    ...answer,
    "x-kubernetes-action": action,
    parameters: writeParameters,
    requestBody: body,
  });
  const read = (action: string): JsonObject => ({ ...gvk, ...answer, "x-kubernetes-action": action });
  const patchTypes = [
    "json-patch+json",
    "merge-patch+json",
    "apply-patch+yaml",
    ...(resource.isCustom ? [] : ["strategic-merge-patch+json"]),
  ];
  const patchBody = {
    content: Object.fromEntries(patchTypes.map((type) => [`application/${type}`, { schema: { type: "object" } }])),
  };
  const collection = `/${pathOf(resource)}${namespaced ? "/namespaces/{namespace}" : ""}/${plural}`;
  return {
    [collection]: { get: read("list"), post: write("post") },
    [`${collection}/{name}`]: {
      get: read("get"),
      put: write("put"),
      patch: { ...write("patch"), requestBody: patchBody },
      delete: { ...read("delete"), parameters: writeParameters.slice(0, 1) },
    },
  };
}

/** Schemas by name. Built-in schemas may be cyclic, so each shared node becomes a component of its own. */
class Definitions {
  readonly schemas: JsonObject = {};
  private readonly names = new Map<Schema, string>();
  /** Custom schemas are trees, and written as such. */
  private isTree = false;

  add(resource: Resource): string {
    const { group, version, kind } = resource;
    const name = [...group.split(".").reverse(), version, kind].filter((part) => part !== "").join(".");
    const known = this.names.has(resource.schema);
    this.isTree = resource.isCustom;
    const reference = this.reference(resource.schema, name);
    if (!known) {
      this.schemas[name] = {
        ...(this.schemas[name] as JsonObject),
        "x-kubernetes-group-version-kind": [{ group, kind, version }],
      };
    }
    return reference;
  }

  private reference(schema: Schema, name: string): string {
    let known = this.names.get(schema);
    if (known === undefined) {
      known = name;
      this.names.set(schema, known);
      this.schemas[known] = {}; // holds the place while the schema's own parts refer back to it
      this.schemas[known] = this.inline(schema, known);
    }
    return `#/components/schemas/${known}`;
  }

  private inline(schema: Schema, name: string): JsonObject {
    const {
      properties,
      items,
      additionalProperties,
      "x-kubernetes-proto": _,
      "x-kubernetes-go-struct": __,
      ...own
    } = schema;
    return {
      ...own,
      ...(properties && {
        properties: Object.fromEntries(
          Object.entries(properties).map(([field, value]) => [field, this.part(value, `${name}.${field}`)]),
        ),
      }),
      ...(items && { items: this.part(items, `${name}.item`) }),
      ...(additionalProperties !== undefined && {
        additionalProperties:
          typeof additionalProperties === "object"
            ? this.part(additionalProperties, `${name}.value`)
            : additionalProperties,
      }),
    };
  }

  private part(schema: Schema, name: string): JsonObject {
    const struct = schema["x-kubernetes-go-struct"];
    const isObject = schema.properties !== undefined || (this.isTree && schema.type === "object");
    if (!isObject || (this.isTree && !struct)) return this.inline(schema, name);
    // The only structs in a custom schema are those of metadata.
    const component = this.isTree && struct ? `io.k8s.apimachinery.pkg.apis.meta.${struct}` : name;
    const { description } = schema;
    return { allOf: [{ $ref: this.reference(schema, component) }], ...(description && { description }) };
  }
}
