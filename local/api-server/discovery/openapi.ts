import { createHash } from "node:crypto";
import type { JsonObject } from "../objects.ts";
import { builtInKinds } from "../resources/built-in-kinds.ts";
import type { Registry } from "../resources/registry.ts";
import type { Resource } from "../resources/resource.ts";
import { kubernetesVersion } from "./discovery.ts";
import { pathsOf } from "./openapi-paths.ts";
import { components, type Components } from "./openapi-schemas.ts";

const info = { title: "Kubernetes", version: kubernetesVersion };

/** The index of OpenAPI v3 documents, one per group and version. */
export function openApiIndex(registry: Registry): JsonObject {
  const paths: JsonObject = {};
  for (const path of new Set(registry.all().map(pathOf))) {
    const document = openApiDocument(registry, path);
    if (document) paths[path] = { serverRelativeURL: addressOf(path, openApiHash(document)) };
  }
  return { paths };
}

/** Where a document of this hash may be cached for good. */
export function addressOf(path: string, hash: string): string {
  return `/openapi/v3/${path}?hash=${hash}`;
}

export function openApiHash(document: JsonObject): string {
  return createHash("sha512").update(JSON.stringify(document)).digest("hex").toUpperCase();
}

function pathOf({ group, version }: Resource): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}

/** The document of one group and version (`apis/apps/v1`), or undefined when nothing is served there. */
export function openApiDocument(registry: Registry, path: string): JsonObject | undefined {
  const resources = registry.all().filter((resource) => pathOf(resource) === path);
  if (resources.length === 0) return undefined;
  const schemas: Components = {};
  const paths: JsonObject = {};
  for (const resource of resources) {
    const name = componentOf(resource);
    Object.assign(schemas, components(resource, name));
    Object.assign(paths, pathsOf(resource, `/${path}`, name));
  }
  return { openapi: "3.0.0", info, paths, components: { schemas } };
}

/** The name of a kind's schema: as in Go's packages, or the group's domain backwards. */
function componentOf({ group, version, kind }: Resource): string {
  const builtIn = builtInKinds.find((each) => each.group === group && each.version === version && each.kind === kind);
  return builtIn?.schema ?? [...group.split(".").reverse(), version, kind].join(".");
}
