const condition = {
  type: "object",
  properties: { type: { type: "string" }, status: { type: "string" } },
  required: ["type"],
};

const schema = {
  type: "object",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", minimum: 1, maximum: 100, description: "How large it is." },
        mode: { type: "string", enum: ["fast", "careful"], default: "fast" },
        code: { type: "string", pattern: "^[A-Z]{3,}$", maxLength: 9 },
        maybe: { type: "string", nullable: true },
        amount: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
        replicas: { type: "integer", default: 1 },
        tags: { type: "array", maxItems: 3, items: { type: "string", maxLength: 20 }, "x-kubernetes-list-type": "set" },
        args: { type: "array", maxItems: 9, items: { type: "string", maxLength: 20 } },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        fixed: {
          type: "string",
          maxLength: 20,
          "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "may not change" }],
        },
        forbidden: {
          type: "string",
          maxLength: 20,
          "x-kubernetes-validations": [
            { rule: "self == 'ok'", reason: "FieldValueForbidden", message: "is not for you" },
          ],
        },
        nested: {
          type: "object",
          properties: { low: { type: "integer", default: 1 }, high: { type: "integer", default: 2 } },
          "x-kubernetes-validations": [
            {
              rule: "self.low <= self.high",
              messageExpression: "self.low > 5 ? 'low is far above high' : 'low is above high'",
            },
          ],
        },
        items: {
          type: "array",
          maxItems: 9,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string", maxLength: 20 }, share: { type: "integer", default: 10 } },
          },
          "x-kubernetes-validations": [
            { rule: "self.map(item, item.share).sum() <= 100", message: "the shares must not exceed 100" },
          ],
        },
      },
      "x-kubernetes-validations": [{ rule: "self.size != 7", message: "seven is taken", fieldPath: ".size" }],
    },
    status: {
      type: "object",
      properties: {
        phase: { type: "string" },
        replicas: { type: "integer" },
        selector: { type: "string" },
        conditions: {
          type: "array",
          items: condition,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["type"],
        },
      },
    },
  },
};

const columns = [
  { name: "Size", type: "integer", jsonPath: ".spec.size" },
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: "Phase", type: "string", jsonPath: ".status.phase", description: "Where it is.", priority: 1 },
  { name: "Tags", type: "string", jsonPath: ".spec.tags" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

/** A kind with something of everything that a CRD can say. */
export const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.parity.slipway.dev" },
  spec: {
    group: "parity.slipway.dev",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", shortNames: ["wd"], categories: ["all"] },
    versions: ["v1", "v1beta1"].map((name) => ({
      name,
      served: true,
      storage: name === "v1",
      schema: { openAPIV3Schema: schema },
      subresources: {
        status: {},
        scale: {
          specReplicasPath: ".spec.replicas",
          statusReplicasPath: ".status.replicas",
          labelSelectorPath: ".status.selector",
        },
      },
      additionalPrinterColumns: columns,
      selectableFields: [{ jsonPath: ".spec.mode" }],
    })),
  },
};
