import { badRequest, invalid, invalidField, type ApiError } from "../api-error.ts";
import type { WriteOptions } from "../cluster.ts";
import { isObject, objectAt, stringAt, textOf, type JsonObject } from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { pruneUnknownFields } from "../schema/unknown-fields.ts";
import { typeMismatch } from "../schema/go-types.ts";

/**
 * Turns a body into an object of the resource's kind: fills in a missing kind, drops unknown fields (or refuses or reports
 * them, as `fieldValidation` asks), and refuses values of a wrong type where the kind is built in.
 */
export function decodeObject(resource: Resource, body: unknown, options: WriteOptions): JsonObject {
  if (!isObject(body))
    throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind}): it is no JSON object`);
  const apiVersion = groupVersion(resource);
  const given = { apiVersion: body["apiVersion"] ?? apiVersion, kind: body["kind"] ?? resource.kind };
  if (given.kind !== resource.kind || given.apiVersion !== apiVersion)
    throw wrongKind(resource, given, stringAt(objectAt(body, "metadata"), "name") ?? "");
  return checkFields(resource, { ...body, ...given }, options, (why) => notHandled(resource, why));
}

/** Decodes an object that a patch made. */
export function decodePatched(resource: Resource, object: JsonObject, options: WriteOptions): JsonObject {
  const refusal = (why: string): ApiError =>
    invalid({ group: "", kind: "" }, [invalidField("patch", JSON.stringify(object), why)]);
  return checkFields(resource, object, options, refusal);
}

function checkFields(
  resource: Resource,
  object: JsonObject,
  options: WriteOptions,
  refusal: (why: string) => ApiError,
): JsonObject {
  const { value, unknown } = pruneUnknownFields(object, resource.schema);
  const problems = (resource.isCustom ? unknown.toSorted() : unknown).map((field) => `unknown field "${field}"`);
  if (problems.length > 0 && options.fieldValidation === "Strict") {
    throw refusal(`strict decoding error: ${problems.join(", ")}`);
  }
  if (options.fieldValidation === "Warn") options.warnings.push(...problems);
  const metadata = resource.schema.properties?.["metadata"];
  const mismatch = resource.isCustom
    ? metadata && typeMismatch(value["metadata"], metadata)
    : typeMismatch(value, resource.schema);
  if (mismatch !== undefined) throw refusal(mismatch);
  return isObject(value["metadata"]) ? value : { ...value, metadata: {} };
}

function notHandled(resource: Resource, why: string, kind = resource.kind, version = resource.version): ApiError {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${resource.kind}: ${why}`);
}

function wrongKind(resource: Resource, given: { apiVersion: unknown; kind: unknown }, name: string): ApiError {
  const [apiVersion, kind] = [textOf(given.apiVersion), textOf(given.kind)];
  if (resource.isCustom && kind !== resource.kind) {
    const subject = { group: resource.group, kind, name };
    return invalid(subject, [invalidField("kind", kind, `must be ${resource.kind}`)]);
  }
  if (kind === resource.kind) {
    return badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${groupVersion(resource)})`,
    );
  }
  const version = apiVersion.split("/").at(-1) ?? "";
  const goPackage = resource.group.split(".")[0] || "core";
  const why = `converting (${version}.${kind}) to (${goPackage}.${resource.kind}): unknown conversion`;
  return notHandled(resource, why, kind, version);
}
