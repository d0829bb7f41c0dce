import { forbiddenField, invalidField, type FieldError } from "../api-error.ts";
import { isObject, numberAt, objectAt, sameJson, type JsonObject, type KubeObject } from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
import { setDefault } from "./pod-defaults.ts";

export const configMapBehaviour: Behaviour = {
  validate: (configMap, old) => [...keyErrors(configMap), ...immutableErrors(configMap, old)],
};

export const secretBehaviour: Behaviour = {
  applyDefaults(secret) {
    setDefault(secret, "type", "Opaque");
    const plain = secret["stringData"];
    if (!isObject(plain)) return;
    const encoded = Object.entries(plain).map(
      ([key, value]) => [key, Buffer.from(String(value)).toString("base64")] as const,
    );
    secret["data"] = { ...objectAt(secret, "data"), ...Object.fromEntries(encoded) };
    delete secret["stringData"];
  },
  validate(secret, old) {
    const changed = old !== undefined && old["type"] !== secret["type"];
    const typeErrors = changed ? [invalidField("type", secret["type"], "field is immutable")] : [];
    return [...keyErrors(secret), ...typeErrors, ...immutableErrors(secret, old)];
  },
};

export const leaseBehaviour: Behaviour = {
  validate(lease) {
    const duration = numberAt(objectAt(lease, "spec"), "leaseDurationSeconds") ?? 1;
    return duration > 0 ? [] : [invalidField("spec.leaseDurationSeconds", duration, "must be greater than 0")];
  },
};

function keyErrors(object: JsonObject): FieldError[] {
  const rule =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', " +
    "regex used for validation is '[-._a-zA-Z0-9]+')";
  const keys = [...Object.keys(objectAt(object, "data")), ...Object.keys(objectAt(object, "binaryData"))];
  return keys.filter((key) => !/^[-._a-zA-Z0-9]+$/.test(key)).map((key) => invalidField(`data[${key}]`, key, rule));
}

function immutableErrors(object: JsonObject, old: KubeObject | undefined): FieldError[] {
  if (old?.["immutable"] !== true) return [];
  const errors: FieldError[] = [];
  if (object["immutable"] !== true)
    errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
  for (const field of ["data", "binaryData"]) {
    if (!sameJson(object[field], old[field]))
      errors.push(forbiddenField(field, "field is immutable when `immutable` is set"));
  }
  return errors;
}
