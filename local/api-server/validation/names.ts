import { forbiddenField, invalidField, requiredField, type FieldError } from "../api-error.ts";
import { isObject, listAt, objectAt, objectsAt, stringAt, type JsonObject, type KubeObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const qualifiedPart = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an " +
  `alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomain}')`;
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
  `alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`;
const qualifiedRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  `(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${qualifiedPart}')`;
const qualifiedNameRule = `${qualifiedRule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
const labelValueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
  "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function matchesWholly(pattern: string, text: string): boolean {
  return new RegExp(`^(${pattern})$`).test(text);
}

/** Problems of a name that must be a DNS label. */
export function labelNameErrors(field: string, name: string): FieldError[] {
  if (name.length > 63) return [invalidField(field, name, "must be no more than 63 characters")];
  return matchesWholly(label, name) ? [] : [invalidField(field, name, labelRule)];
}

/** Problems of metadata: its name, labels, annotations, owners and finalizers. */
export function metadataErrors(resource: Resource, object: JsonObject): FieldError[] {
  const metadata = objectAt(object, "metadata");
  return [
    ...nameErrors(resource, stringAt(metadata, "name") ?? ""),
    ...labelErrors(metadata["labels"], "metadata.labels"),
    ...annotationErrors(metadata["annotations"]),
    ...ownerErrors(objectsAt(metadata, "ownerReferences")),
    ...listAt(metadata, "finalizers").flatMap((name, index) => finalizerErrors(resource, String(name), index)),
  ];
}

function nameErrors(resource: Resource, name: string): FieldError[] {
  const field = "metadata.name";
  if (name === "") return [requiredField(field, "name or generateName is required")];
  if (resource.nameFormat === "label") return labelNameErrors(field, name);
  if (resource.nameFormat === "path") {
    return /[/%]/.test(name) || name === "." || name === ".."
      ? [invalidField(field, name, "may not contain '/' or '%'")]
      : [];
  }
  if (name.length > 253) return [invalidField(field, name, "must be no more than 253 characters")];
  return matchesWholly(subdomain, name) ? [] : [invalidField(field, name, subdomainRule)];
}

/** Problems of a map of labels: keys and values. */
function labelErrors(labels: unknown, field: string): FieldError[] {
  if (!isObject(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameErrors(key, field),
    ...labelValueErrors(String(value), field),
  ]);
}

function labelValueErrors(value: string, field: string): FieldError[] {
  return labelValueProblems(value).map((problem) => invalidField(field, value, problem));
}

/** What is wrong with a label's value. */
export function labelValueProblems(value: string): string[] {
  if (value.length > 63) return ["must be no more than 63 bytes"];
  return value === "" || matchesWholly(qualifiedPart, value) ? [] : [labelValueRule];
}

function qualifiedNameErrors(key: string, field: string): FieldError[] {
  return labelKeyProblems(key).map((problem) => invalidField(field, key, problem));
}

/** What is wrong with a label's key (`app`, `example.com/app`). */
export function labelKeyProblems(key: string): string[] {
  const [name = "", prefix, ...more] = key.split("/").reverse();
  if (more.length > 0) return [`a valid label key ${qualifiedNameRule}`];
  const problems: string[] = [];
  if (prefix === "") problems.push("prefix part must be non-empty");
  else if (prefix !== undefined && !matchesWholly(subdomain, prefix)) problems.push(`prefix part ${subdomainRule}`);
  if (name === "") problems.push("name part must be non-empty");
  else if (name.length > 63) problems.push("name part must be no more than 63 bytes");
  if (!matchesWholly(qualifiedPart, name)) problems.push(`name part ${qualifiedRule}`);
  return problems;
}

const maximumAnnotationBytes = 256 * 1024;

function annotationErrors(annotations: unknown): FieldError[] {
  if (!isObject(annotations)) return [];
  const field = "metadata.annotations";
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
  const tooLong: FieldError[] =
    size > maximumAnnotationBytes
      ? [
          {
            reason: "FieldValueTooLong",
            field,
            message: `Too long: may not be more than ${maximumAnnotationBytes} bytes`,
          },
        ]
      : [];
  return [...Object.keys(annotations).flatMap((key) => qualifiedNameErrors(key.toLowerCase(), field)), ...tooLong];
}

const standardFinalizers = ["orphan", "foregroundDeletion", "kubernetes"];

/** Names of built-in kinds' finalizers must be standard ones or say whose they are. */
function finalizerErrors(resource: Resource, name: string, index: number): FieldError[] {
  const field = "metadata.finalizers";
  const problems = labelKeyProblems(name).map((problem) => invalidField(field, name, problem));
  if (problems.length > 0 || resource.isCustom || name.includes("/") || standardFinalizers.includes(name))
    return problems;
  const why = "name is neither a standard finalizer name nor is it fully qualified";
  return [invalidField(`${field}[${index}]`, name, why)];
}

/** An object that is on its way out can only lose finalizers. */
export function newFinalizerErrors(object: JsonObject, old: KubeObject): FieldError[] {
  if (old.metadata.deletionTimestamp === undefined) return [];
  const fresh = listAt(objectAt(object, "metadata"), "finalizers")
    .map(String)
    .filter((name) => !old.metadata.finalizers?.includes(name));
  if (fresh.length === 0) return [];
  const found = `[]string{${fresh.map((name) => JSON.stringify(name)).join(", ")}}`;
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${found}`;
  return [forbiddenField("metadata.finalizers", why)];
}

function ownerErrors(owners: readonly JsonObject[]): FieldError[] {
  const field = "metadata.ownerReferences";
  const missing = owners.flatMap((owner) =>
    ["apiVersion", "kind", "name", "uid"].flatMap((part) =>
      stringAt(owner, part) ? [] : [invalidField(`${field}.${part}`, "", `must not be empty`)],
    ),
  );
  const controllers = owners.filter((owner) => owner["controller"] === true);
  const [first, second] = controllers;
  if (!first || !second) return missing;
  const names = `${stringAt(first, "kind")}/${stringAt(first, "name")} and ${stringAt(second, "kind")}/${stringAt(second, "name")}`;
  return [
    ...missing,
    invalidField(
      field,
      owners,
      `Only one reference can have Controller set to true. Found "true" in references for ${names}`,
    ),
  ];
}
