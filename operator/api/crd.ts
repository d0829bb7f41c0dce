import { z } from "zod";
import { GROUP, KIND, MAX_NAME_LENGTH, NAME_PATTERN, PLURAL, VERSION, spec } from "./model-deployment.ts";
import { status } from "./status.ts";

type Schema = { [keyword: string]: unknown };

/** The CustomResourceDefinition of ModelDeployment (apiextensions.k8s.io/v1), made from the zod schemas. */
export function customResourceDefinition(): Schema {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ["mdep"],
        categories: ["slipway"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: rootSchema() },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.serving.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
          additionalPrinterColumns: [
            { name: "Ready", type: "string", jsonPath: `.status.conditions[?(@.type=="Ready")].status` },
            { name: "Phase", type: "string", jsonPath: ".status.phase" },
            { name: "Split", type: "string", jsonPath: ".status.split" },
            { name: "Step", type: "string", jsonPath: ".status.step" },
            { name: "URL", type: "string", jsonPath: ".status.url" },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
            { name: "Pods", type: "integer", jsonPath: ".status.readyReplicas", priority: 1 },
            {
              name: "Reason",
              type: "string",
              jsonPath: `.status.conditions[?(@.type=="Ready")].reason`,
              priority: 1,
            },
          ],
        },
      ],
    },
  };
}

function rootSchema(): Schema {
  return {
    type: "object",
    description: "A model in production: its versions, how they are served, and who gets which.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: {
        type: "object",
        properties: { name: { type: "string", maxLength: MAX_NAME_LENGTH, pattern: NAME_PATTERN } },
      },
      spec: structural(spec),
      status: structural(status),
    },
  };
}

/** JSON Schema as Kubernetes takes it: structural, without keywords that the API server refuses. */
function structural(schema: z.ZodType): Schema {
  const jsonSchema = z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" });
  return toStructural(jsonSchema) as Schema;
}

const REFUSED = new Set(["$schema", "additionalProperties", "propertyNames", "intOrString", "anyOf", "id"]);

function toStructural(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toStructural);
  if (typeof node !== "object" || node === null) return node;
  const given = node as Schema;
  if (given["intOrString"] === true)
    return { "x-kubernetes-int-or-string": true, pattern: given["pattern"], ...description(given) };
  if (given["passThrough"] === true)
    return { type: "object", "x-kubernetes-preserve-unknown-fields": true, ...description(given) };
  const result: Schema = {};
  for (const [keyword, value] of Object.entries(given)) {
    if (keyword === "properties")
      result[keyword] = Object.fromEntries(
        Object.entries(value as Schema).map(([name, property]) => [name, toStructural(property)]),
      );
    else if (!REFUSED.has(keyword)) result[keyword] = keyword.startsWith("x-") ? value : toStructural(value);
  }
  Object.assign(result, additionalProperties(given));
  return result;
}

function description(given: Schema): Schema {
  return given["description"] === undefined ? {} : { description: given["description"] };
}

/** A closed object's `additionalProperties: false` is how pruning works anyway; a map keeps its values' schema. */
function additionalProperties(given: Schema): Schema {
  const extra = given["additionalProperties"];
  if (extra === undefined || extra === false) return {};
  const isOpen = typeof extra === "object" && extra !== null && Object.keys(extra).length === 0;
  if (isOpen && given["properties"] !== undefined) return { "x-kubernetes-preserve-unknown-fields": true };
  return { additionalProperties: toStructural(extra), maxProperties: 64 };
}
