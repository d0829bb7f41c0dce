import { invalidField, requiredField, forbiddenField, unsupportedValue, type FieldError } from "../api-error.ts";
import {
  isObject,
  listAt,
  objectAt,
  objectsAt,
  stringAt,
  timestamp,
  type JsonObject,
  type KubeObject,
} from "../objects.ts";
import { compileRules } from "../schema/cel-rules.ts";
import type { Schema } from "../schema/schema.ts";
import { age } from "../tables/age.ts";
import type { Cell, Column } from "../tables/columns.ts";
import { readJsonPath } from "../tables/json-path.ts";
import { storageKey } from "./registry.ts";
import type { Behaviour, Resource, ScalePaths } from "./resource.ts";

/** The kinds that a CRD defines, one per served version. */
export function resourcesOf(crd: KubeObject, metadataSchema: Schema): Resource[] {
  const spec = objectAt(crd, "spec");
  return objectsAt(spec, "versions")
    .filter((version) => version["served"] === true)
    .map((version) => customResource(spec, version, metadataSchema));
}

export function storageKeyOf(crd: KubeObject): string {
  const spec = objectAt(crd, "spec");
  return storageKey(stringAt(spec, "group") ?? "", stringAt(objectAt(spec, "names"), "plural") ?? "");
}

function customResource(spec: JsonObject, version: JsonObject, metadataSchema: Schema): Resource {
  const names = objectAt(spec, "names");
  const group = stringAt(spec, "group") ?? "";
  const plural = stringAt(names, "plural") ?? "";
  const kind = stringAt(names, "kind") ?? "";
  const subresources = objectAt(version, "subresources");
  const schema = withMetadata(objectAt(objectAt(version, "schema"), "openAPIV3Schema"), metadataSchema);
  return {
    group,
    version: stringAt(version, "name") ?? "",
    kind,
    listKind: stringAt(names, "listKind") ?? `${kind}List`,
    plural,
    singular: stringAt(names, "singular") ?? kind.toLowerCase(),
    shortNames: listAt(names, "shortNames").map(String),
    categories: listAt(names, "categories").map(String),
    namespaced: stringAt(spec, "scope") === "Namespaced",
    storageKey: storageKey(group, plural),
    hasStatus: isObject(subresources["status"]),
    scale: isObject(subresources["scale"]) ? scalePaths(subresources["scale"]) : undefined,
    countsGenerations: true,
    unconditionalUpdate: false,
    createOnUpdate: false,
    deletesCollections: true,
    answersDeletionsWithObject: false,
    selectableFields: objectsAt(version, "selectableFields").map((field) =>
      (stringAt(field, "jsonPath") ?? "").replace(/^\./, ""),
    ),
    isCustom: true,
    schema,
    rules: compileRules(schema, "").rules,
    columns: printerColumns(objectsAt(version, "additionalPrinterColumns")),
    behaviour: {},
    nameFormat: "subdomain",
  };
}

function scalePaths(scale: JsonObject): ScalePaths {
  const labelSelectorPath = stringAt(scale, "labelSelectorPath");
  return {
    specReplicasPath: stringAt(scale, "specReplicasPath") ?? ".spec.replicas",
    statusReplicasPath: stringAt(scale, "statusReplicasPath") ?? ".status.replicas",
    ...(labelSelectorPath !== undefined && { labelSelectorPath }),
  };
}

const conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
const apiVersionDescription =
  "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to " +
  `the latest internal value, and may reject unrecognized values. More info: ${conventions}#resources`;
const kindDescription =
  "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint " +
  `the client submits requests to. Cannot be updated. In CamelCase. More info: ${conventions}#types-kinds`;
const metadataDescription = `Standard object's metadata. More info: ${conventions}#metadata`;

/** The user's schema with what every object has; metadata is the API server's own, its name as narrow as the user wants it. */
function withMetadata(schema: JsonObject, metadata: Schema): Schema {
  const own = schema as Schema;
  const narrowed = { ...metadata.properties };
  for (const field of ["name", "generateName"]) {
    narrowed[field] = { ...narrowed[field], ...own.properties?.["metadata"]?.properties?.[field] };
  }
  return {
    ...own,
    properties: {
      ...own.properties,
      apiVersion: { type: "string", description: apiVersionDescription, ...own.properties?.["apiVersion"] },
      kind: { type: "string", description: kindDescription, ...own.properties?.["kind"] },
      metadata: { ...metadata, description: metadataDescription, properties: narrowed },
    },
  };
}

const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  cell: (object) => object.metadata.name,
};

function printerColumns(declared: readonly JsonObject[]): Column[] {
  const columns =
    declared.length > 0 ? declared : [{ name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" }];
  return [
    nameColumn,
    ...columns.map((column: JsonObject): Column => {
      const path = stringAt(column, "jsonPath") ?? "";
      const type = stringAt(column, "type") ?? "string";
      return {
        name: stringAt(column, "name") ?? "",
        type,
        format: stringAt(column, "format") ?? "",
        description:
          stringAt(column, "description") ?? `Custom resource definition column (in JSONPath format): ${path}`,
        priority: Number(column["priority"] ?? 0),
        cell: (object, now) => cellOf(readJsonPath(object, path), type, now),
      };
    }),
  ];
}

function cellOf(value: unknown, type: string, now: number): Cell {
  if (value === undefined || value === null) return null;
  if (type === "date") return age(value, now);
  if (type === "string") return typeof value === "string" ? value : JSON.stringify(value);
  return typeof value === "number" || typeof value === "boolean" || typeof value === "string"
    ? value
    : JSON.stringify(value);
}

/** What the API server itself does with CustomResourceDefinitions. */
export function customResourceDefinitionBehaviour(now: () => number): Behaviour {
  return {
    applyDefaults(crd) {
      const spec = objectAt(crd, "spec");
      const names = objectAt(spec, "names");
      const kind = stringAt(names, "kind") ?? "";
      if (!names["singular"]) names["singular"] = kind.toLowerCase();
      if (!names["listKind"]) names["listKind"] = `${kind}List`;
      if (spec["conversion"] === undefined) spec["conversion"] = { strategy: "None" };
    },
    prepareForCreate(crd) {
      crd["status"] = establishedStatus(crd, now());
    },
    prepareForUpdate(crd) {
      crd["status"] = {
        ...establishedStatus(crd, now()),
        ...objectAt(crd, "status"),
        acceptedNames: objectAt(objectAt(crd, "spec"), "names"),
      };
    },
    deletionFinalizers: [cleanupFinalizer],
    validate: crdErrors,
  };
}

/** Keeps a CRD until its objects are gone. */
export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

function establishedStatus(crd: JsonObject, now: number): JsonObject {
  const spec = objectAt(crd, "spec");
  const lastTransitionTime = timestamp(now);
  const stored = objectsAt(spec, "versions").find((version) => version["storage"] === true);
  return {
    acceptedNames: objectAt(spec, "names"),
    conditions: [
      {
        type: "NamesAccepted",
        status: "True",
        lastTransitionTime,
        reason: "NoConflicts",
        message: "no conflicts found",
      },
      {
        type: "Established",
        status: "True",
        lastTransitionTime,
        reason: "InitialNamesAccepted",
        message: "the initial names have been accepted",
      },
    ],
    storedVersions: [stringAt(stored, "name") ?? ""],
  };
}

function crdErrors(crd: JsonObject): FieldError[] {
  const spec = objectAt(crd, "spec");
  const names = objectAt(spec, "names");
  const name = stringAt(objectAt(crd, "metadata"), "name") ?? "";
  const expected = `${stringAt(names, "plural") ?? ""}.${stringAt(spec, "group") ?? ""}`;
  const errors: FieldError[] = [];
  if (name !== expected) errors.push(invalidField("metadata.name", name, `must be spec.names.plural+"."+spec.group`));
  for (const field of ["plural", "kind"])
    if (!stringAt(names, field)) errors.push(requiredField(`spec.names.${field}`));
  for (const field of ["group", "scope"]) if (!stringAt(spec, field)) errors.push(requiredField(`spec.${field}`));
  const scope = stringAt(spec, "scope");
  if (scope && !["Cluster", "Namespaced"].includes(scope))
    errors.push(unsupportedValue("spec.scope", scope, ["Cluster", "Namespaced"]));
  const versions = objectsAt(spec, "versions");
  if (versions.filter((version) => version["storage"] === true).length !== 1) {
    errors.push(
      invalidField(
        "spec.versions",
        versions.map((version) => version["name"]),
        "must have exactly one version marked as storage version",
      ),
    );
  }
  versions.forEach((version, index) => {
    const path =
      versions.length === 1 ? "spec.validation.openAPIV3Schema" : `spec.versions[${index}].schema.openAPIV3Schema`;
    const schema = objectAt(version, "schema")["openAPIV3Schema"];
    if (!isObject(schema)) errors.push(requiredField(`spec.versions[${index}].schema.openAPIV3Schema`));
    else errors.push(...structuralErrors(schema, path), ...compileRules(schema, path).errors);
  });
  return errors;
}

/** What makes a schema not structural; only such schemas can be pruned and defaulted. */
function structuralErrors(schema: Schema, path: string, isRoot = true): FieldError[] {
  const errors: FieldError[] = [];
  const free = schema["x-kubernetes-int-or-string"] || schema["x-kubernetes-preserve-unknown-fields"];
  if (!schema.type && !free)
    errors.push(
      requiredField(
        `${path}.type`,
        isRoot ? "must not be empty at the root" : "must not be empty for specified object fields",
      ),
    );
  if (isRoot && schema.type && schema.type !== "object")
    errors.push(invalidField(`${path}.type`, schema.type, "must be object at the root"));
  if (schema.properties && schema.additionalProperties !== undefined) {
    errors.push(
      forbiddenField(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"),
    );
  }
  if (schema.type === "array" && !schema.items) errors.push(requiredField(`${path}.items`, "must be specified"));
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (schema["x-kubernetes-list-type"] === "map") errors.push(...listMapErrors(schema, keys, path));
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!(isRoot && name === "metadata"))
      errors.push(...structuralErrors(property, `${path}.properties[${name}]`, false));
  }
  if (schema.items) errors.push(...structuralErrors(schema.items, `${path}.items`, false));
  if (typeof schema.additionalProperties === "object") {
    errors.push(...structuralErrors(schema.additionalProperties, `${path}.additionalProperties`, false));
  }
  return errors;
}

function listMapErrors(schema: Schema, keys: readonly string[], path: string): FieldError[] {
  if (keys.length === 0) {
    return [requiredField(`${path}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map")];
  }
  return keys.flatMap((key) => {
    const property = schema.items?.properties?.[key];
    if (!property)
      return [invalidField(`${path}.x-kubernetes-list-map-keys`, keys, "entries must all be names of item properties")];
    const given = schema.items?.required?.includes(key) || property.default !== undefined;
    return given
      ? []
      : [
          requiredField(
            `${path}.items.properties[${key}].default`,
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
          ),
        ];
  });
}
