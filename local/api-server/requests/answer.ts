import { sendJson } from "../http/responses.ts";
import type { JsonObject, KubeObject } from "../objects.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { partialMetadata, table, type IncludeObject } from "../tables/table.ts";
import type { Call } from "./call.ts";

export function answerObject(
  call: Call,
  resource: Resource,
  code: number,
  object: KubeObject,
  warnings: readonly string[] = [],
): void {
  const metadata = { resourceVersion: object.metadata.resourceVersion };
  const answer = transformed(call, resource, [object], metadata) ?? { ...object, apiVersion: groupVersion(resource) };
  const headers = warnings.map((warning) => `299 - ${JSON.stringify(warning)}`);
  sendJson(call.response, code, answer, headers);
}

/** What was done, where there is no object to answer with. */
export function answerSuccess({ response }: Call, code: number): void {
  sendJson(response, code, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code });
}

/** Objects in the form that the Accept header asks for, or undefined when it asks for the objects themselves. */
export function transformed(
  { cluster, query, request, target }: Call,
  resource: Resource,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  withDefinitions = true,
): JsonObject | undefined {
  const accept = request.headers.accept ?? "";
  if (!accept.includes("as=")) return undefined;
  if (accept.includes("as=Table")) {
    const include = (query.get("includeObject") ?? "Metadata") as IncludeObject;
    return table(objects, { columns: resource.columns, metadata, include, withDefinitions, now: cluster.clock.now() });
  }
  if (accept.includes("as=PartialObjectMetadataList")) {
    const items = objects.map(partialMetadata);
    return { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items };
  }
  const [only] = objects;
  return accept.includes("as=PartialObjectMetadata") && only && (target.name !== undefined || query.has("watch"))
    ? partialMetadata(only)
    : undefined;
}
