import { invalidField, type FieldError } from "../api-error.ts";
import type { JsonObject, KubeObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { evaluateRules } from "../schema/cel-rules.ts";
import { validateListTypes, validateSchema } from "../schema/validate.ts";
import { readJsonPath } from "../tables/json-path.ts";
import { metadataErrors, newFinalizerErrors } from "./names.ts";

/** Everything that is wrong with an object that is about to be stored. `old` is undefined on create. */
export function validateObject(resource: Resource, object: JsonObject, old: KubeObject | undefined): FieldError[] {
  const common = [...metadataErrors(resource, object), ...(old ? newFinalizerErrors(object, old) : [])];
  if (resource.isCustom) return [...common, ...customErrors(resource, object, old)];
  return [...common, ...(resource.behaviour.validate?.(object, old) ?? [])];
}

/** With these, the value is not what the schema promises, and CEL rules cannot be evaluated on it. */
const blocking: ReadonlySet<FieldError["reason"]> = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

const unchecked: FieldError = {
  reason: "FieldValueInvalid",
  field: "<nil>",
  message:
    "Invalid value: null: some validation rules were not checked because the object was invalid; " +
    "correct the existing errors to complete validation",
};

function customErrors(resource: Resource, object: JsonObject, old: KubeObject | undefined): FieldError[] {
  const { schema, rules } = resource;
  const errors = [
    ...validateSchema(object, schema),
    ...validateListTypes(object, schema),
    ...scaleErrors(resource, object),
  ];
  if (rules === undefined) return errors;
  if (errors.some((error) => blocking.has(error.reason))) return [...errors, unchecked];
  return [...errors, ...evaluateRules(rules, object, old)];
}

/** What the scale subresource demands of the field that it reads. */
function scaleErrors({ scale }: Resource, object: JsonObject): FieldError[] {
  if (scale === undefined) return [];
  const replicas = readJsonPath(object, scale.specReplicasPath);
  return typeof replicas === "number" && replicas < 0
    ? [invalidField(scale.specReplicasPath, replicas, "should be a non-negative integer")]
    : [];
}
