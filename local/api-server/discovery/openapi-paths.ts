import type { JsonObject } from "../objects.ts";
import type { Resource } from "../resources/resource.ts";
import { reference, scaleComponent, statusComponent } from "./openapi-schemas.ts";

const parameter = (name: string): JsonObject => ({
  name,
  in: "query",
  schema: { type: "string", uniqueItems: true },
});
/** kubectl looks for these on every write before it trusts the server to validate. */
const writeParameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
const force = { name: "force", in: "query", schema: { type: "boolean", uniqueItems: true } };

/** What may be done with a resource, by path. `root` is the path of its group and version; `component` is the kind's schema. */
export function pathsOf(resource: Resource, root: string, component: string): JsonObject {
  const { plural, namespaced, hasStatus, scale, deletesCollections, answersDeletionsWithObject } = resource;
  const operation = operations(resource);
  const collection = `${root}${namespaced ? "/namespaces/{namespace}" : ""}/${plural}`;
  const object = `${collection}/{name}`;
  const list = operation.read("list", `${component}List`);
  const removed = answersDeletionsWithObject ? component : statusComponent;
  return {
    ...(namespaced && { [`${root}/${plural}`]: { get: list } }),
    [collection]: {
      get: list,
      post: operation.write("post", component),
      ...(deletesCollections && { delete: operation.remove("deletecollection", statusComponent) }),
    },
    [object]: { ...operation.change(component), delete: operation.remove("delete", removed) },
    ...(hasStatus && { [`${object}/status`]: operation.change(component) }),
    ...(scale && { [`${object}/scale`]: scaleOperations(resource) }),
  };
}

/** The kind of a custom resource's scale is told as that of the resource. */
function scaleOperations(resource: Resource): JsonObject {
  const scale = { ...resource, group: "autoscaling", version: "v1", kind: "Scale" };
  return operations(resource.isCustom ? resource : scale).change(scaleComponent);
}

interface Operations {
  read(action: string, component: string): JsonObject;
  write(action: string, component: string): JsonObject;
  remove(action: string, component: string): JsonObject;
  /** All that may be done with an object, or a part of one, but its deletion. */
  change(component: string): JsonObject;
}

function operations({ group, version, kind, isCustom }: Resource): Operations {
  const bodyOf = (component: string): JsonObject => ({
    content: { "application/json": { schema: reference(component) } },
  });
  const read = (action: string, component: string): JsonObject => ({
    "x-kubernetes-group-version-kind": { group, kind, version },
    "x-kubernetes-action": action,
    responses: { 200: { description: "OK", ...bodyOf(component) } },
  });
  const write = (action: string, component: string): JsonObject => ({
    ...read(action, component),
    parameters: writeParameters,
    requestBody: bodyOf(component),
  });
  const patchTypes = ["apply-patch+yaml", "json-patch+json", "merge-patch+json"];
  if (!isCustom) patchTypes.push("strategic-merge-patch+json");
  const patches = Object.fromEntries(patchTypes.map((type) => [`application/${type}`, { schema: { type: "object" } }]));
  return {
    read,
    write,
    remove: (action, component) => ({
      ...read(action, component),
      // That a collection of custom resources can be deleted as a dry run is not told.
      ...(!(isCustom && action === "deletecollection") && { parameters: writeParameters.slice(0, 1) }),
    }),
    change: (component) => ({
      get: read("get", component),
      put: write("put", component),
      patch: {
        ...read("patch", component),
        parameters: [...writeParameters, force],
        requestBody: { content: patches },
      },
    }),
  };
}
