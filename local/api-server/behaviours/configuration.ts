import { forbiddenField, invalidField, requiredField, type FieldError } from "../api-error.ts";
import { isObject, numberAt, objectAt, sameJson, type JsonObject, type KubeObject } from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
import { negativeErrors } from "./numbers.ts";
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
    return [...keyErrors(secret), ...typeErrors, ...missingKeys(secret), ...immutableErrors(secret, old)];
  },
};

/** What Secrets of a well-known type must hold. */
const keysOfTypes: Record<string, readonly string[]> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

function missingKeys(secret: JsonObject): FieldError[] {
  const data = objectAt(secret, "data");
  const keys = keysOfTypes[String(secret["type"])] ?? [];
  return keys.filter((key) => !Object.hasOwn(data, key)).map((key) => requiredField(`data[${key}]`));
}

export const leaseBehaviour: Behaviour = {
  validate(lease) {
    const spec = objectAt(lease, "spec");
    const duration = numberAt(spec, "leaseDurationSeconds") ?? 1;
    const tooShort = invalidField("spec.leaseDurationSeconds", duration, "must be greater than 0");
    return [...(duration > 0 ? [] : [tooShort]), ...negativeErrors(spec, ["leaseTransitions"], "spec")];
  },
};

function keyErrors(object: JsonObject): FieldError[] {
  const rule =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', " +
    "regex used for validation is '[-._a-zA-Z0-9]+')";
  const binary = objectAt(object, "binaryData");
  const keys = [...Object.keys(objectAt(object, "data")), ...Object.keys(binary)];
  return [...new Set(keys)].flatMap((key) => {
    const at = `data[${key}]`;
    if (!/^[-._a-zA-Z0-9]+$/.test(key)) return [invalidField(at, key, rule)];
    if (key === "." || key === "..") return [invalidField(at, key, `must not be '${key}'`)];
    const isTwice = Object.hasOwn(binary, key) && Object.hasOwn(objectAt(object, "data"), key);
    return isTwice ? [invalidField(at, key, "duplicate of key present in binaryData")] : [];
  });
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
