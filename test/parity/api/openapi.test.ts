import { compareServers } from "../compare.ts";
import type { Case } from "../compare.ts";
import { get, post } from "../request.ts";
import type { Request } from "../request.ts";
import { widgetDefinition } from "../widgets.ts";

type Json = Record<string, unknown>;
type Document = { paths: Record<string, Json>; components: { schemas: Record<string, Json> } };

/** The kinds that the embedded server serves, by the document that describes them; the real one has more. */
const kinds: Record<string, readonly string[]> = {
  "api/v1": ["Namespace", "Pod", "Service", "ConfigMap", "Secret", "Event", "Node", "ServiceAccount", "Endpoints"],
  "apis/apps/v1": ["Deployment", "ReplicaSet"],
  "apis/autoscaling/v2": ["HorizontalPodAutoscaler"],
  "apis/policy/v1": ["PodDisruptionBudget"],
  "apis/coordination.k8s.io/v1": ["Lease"],
  "apis/discovery.k8s.io/v1": ["EndpointSlice"],
  "apis/events.k8s.io/v1": ["Event"],
  "apis/rbac.authorization.k8s.io/v1": ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"],
  "apis/apiextensions.k8s.io/v1": ["CustomResourceDefinition"],
};
const custom = "apis/parity.slipway.dev/v1";

function document(path: string, part: (document: Document) => unknown): Request {
  return get(`/openapi/v3/${path}`, { part: (body) => part(body as Document) });
}

/** The schemas of a kind and of its list, and all that they refer to. */
function schemasOf(kind: string): (document: Document) => unknown {
  return ({ components: { schemas } }) => {
    const found: Json = {};
    const add = (name: string): void => {
      if (name in found) return;
      found[name] = withoutDocumentation(schemas[name]);
      for (const [, referred = ""] of JSON.stringify(schemas[name]).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
        add(referred);
    };
    for (const [name, schema] of Object.entries(schemas)) {
      const of = schema["x-kubernetes-group-version-kind"] as { kind: string }[] | undefined;
      if (of?.some((each) => each.kind === kind || each.kind === `${kind}List`)) add(name);
    }
    return found;
  };
}

/**
 * What of built-in kinds is documentation, which the embedded server leaves out: descriptions, that Go's zero is what a field
 * without a value has, which of a union's fields belong together.
 */
function withoutDocumentation(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutDocumentation);
  if (typeof schema !== "object" || schema === null) return schema;
  const kept = Object.entries(schema).filter(([name, value]) => !isDocumentation(name, value));
  const [[name, only] = [], ...others] = kept;
  // A reference with a description beside it is one of all; without, it stands alone.
  if (name === "allOf" && others.length === 0 && Array.isArray(only) && only.length === 1) return only[0] as unknown;
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutDocumentation(value)]));
}

function isDocumentation(name: string, value: unknown): boolean {
  if (name === "default") return value === "" || value === 0 || value === false;
  return name === "x-kubernetes-unions" || (name === "description" && typeof value === "string");
}

type Operation = Json & {
  parameters?: { name: string }[];
  requestBody?: { content: Json };
  responses?: Record<string, { content?: Record<string, Json> }>;
};

const writeParameters = ["dryRun", "fieldManager", "fieldValidation", "force"];
const subresources =
  /\/(proxy|exec|attach|portforward|log|binding|eviction|finalize|token|resize|ephemeralcontainers)\b/;

/** What may be done with a kind, as far as clients look it up: where, how, of what kind, with which of the options of a write. */
function operationsOn(kind: string): (document: Document) => unknown {
  return ({ paths }) => {
    const served = Object.entries(paths).filter(([path]) => !path.includes("/watch/") && !subresources.test(path));
    const operations = served.flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => {
        const { [`x-kubernetes-group-version-kind`]: of, ...more } = operation as Operation;
        if (method === "parameters" || (of as { kind: string } | undefined)?.kind !== kind) return [];
        return [[`${method} ${path}`, operationOf({ ...more, of })] as const];
      }),
    );
    return Object.fromEntries(operations.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  };
}

function operationOf({ of, parameters = [], requestBody, responses, ...more }: Operation): Json {
  const patches = Object.keys(requestBody?.content ?? {}).filter((type) => type.includes("patch"));
  return {
    of,
    action: more["x-kubernetes-action"],
    options: parameters.map(({ name }) => name).filter((name) => writeParameters.includes(name)),
    patches: patches.filter((type) => !type.includes("cbor")).toSorted(),
    answer: responses?.["200"]?.content?.["application/json"]?.["schema"],
  };
}

const isListed = (body: unknown): unknown => {
  const { paths } = JSON.parse(String(body)) as { paths: Record<string, { serverRelativeURL: string }> };
  const listed = [...Object.keys(kinds), custom].map((path) => [path, paths[path]?.serverRelativeURL] as const);
  return Object.fromEntries(listed.map(([path, url]) => [path, url?.replace(/[0-9A-F]{128}$/, "<hash>")]));
};
const nothing = (): string => "";

const schemaCases = Object.entries(kinds).flatMap(([path, listed]) =>
  listed.map((kind): Case => [`the schemas of ${kind} in ${path}`, document(path, schemasOf(kind))]),
);
const operationCases = Object.entries(kinds).flatMap(([path, listed]) =>
  listed.map((kind): Case => [`what may be done with ${kind} in ${path}`, document(path, operationsOn(kind))]),
);

compareServers(
  "OpenAPI v3",
  [
    ["the index names each document with its hash", get("/openapi/v3", { part: isListed })],
    ...schemaCases,
    ...operationCases,
    ["the schemas of a custom kind", document(custom, schemasOf("Widget"))],
    ["the schemas of its other version", document("apis/parity.slipway.dev/v1beta1", schemasOf("Widget"))],
    ["what may be done with a custom kind", document(custom, operationsOn("Widget"))],
    [
      "a document is not sent again to who has it",
      get("/openapi/v3/apis/policy/v1", { part: nothing }),
      (answers) => get("/openapi/v3/apis/policy/v1", { ifNoneMatch: answers[0]?.etag ?? "" }),
      get("/openapi/v3/apis/policy/v1", { ifNoneMatch: '"another"', part: nothing }),
    ],
    [
      "a document of another hash is where the right hash is",
      get("/openapi/v3/apis/policy/v1?hash=another"),
      (answers) => get(answers[0]?.location ?? "/nowhere", { part: nothing }),
    ],
    ["a document that there is not", get("/openapi/v3/apis/nothing.example.com/v1")],
    ["a document as YAML", get("/openapi/v3/apis/policy/v1", { accept: "application/yaml" })],
  ],
  [],
  [post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgetDefinition), get(`/openapi/v3/${custom}`)],
);
