import type { Registry } from "../resources/registry.ts";
import { groupVersion, type Resource } from "../resources/resource.ts";
import { objectsAt, type JsonObject } from "../objects.ts";

/** What the server says it is: kubectl and operators look at it. */
export const kubernetesVersion = "v1.36.3";
const serverVersion = {
  major: "1",
  minor: "36",
  gitVersion: kubernetesVersion,
  gitCommit: "embedded",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: `node ${process.version}`,
  compiler: "node",
  platform: `${process.platform}/${process.arch}`,
};

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const customVerbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const subresourceVerbs = ["get", "patch", "update"];

/** Kinds that are asked and answered but never stored. */
const reviews = [
  { plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview" },
  { plural: "selfsubjectrulesreviews", kind: "SelfSubjectRulesReview" },
];
export const reviewGroup = "authorization.k8s.io";

function groups(registry: Registry): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { group, version } of registry.all()) {
    if (group === "") continue;
    const versions = found.get(group) ?? [];
    if (!versions.includes(version)) versions.push(version);
    found.set(group, versions);
  }
  found.set(reviewGroup, ["v1"]);
  return found;
}

function apiGroup(name: string, versions: readonly string[]): JsonObject {
  const listed = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const resources = registry.inGroupVersion(group, version).flatMap(apiResources);
  if (group === reviewGroup) {
    for (const { plural, kind } of reviews) {
      resources.push({ name: plural, singularName: kind.toLowerCase(), namespaced: false, kind, verbs: ["create"] });
    }
  }
  if (resources.length === 0) return undefined;
  // The real server, too, leaves the version out of the core group's list.
  return {
    kind: "APIResourceList",
    ...(group && { apiVersion: "v1" }),
    groupVersion: groupVersion({ group, version }),
    resources,
  };
}

function apiResources(resource: Resource): JsonObject[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = resource;
  const listed: JsonObject[] = [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs: resource.isCustom
        ? customVerbs
        : verbs.filter((verb) => verb !== "deletecollection" || resource.deletesCollections),
      ...(shortNames.length > 0 && { shortNames }),
      ...(categories.length > 0 && { categories }),
    },
  ];
  const sub = (name: string, of: JsonObject, allowed: readonly string[]): void => {
    listed.push({ name: `${plural}/${name}`, singularName: "", namespaced, ...of, verbs: allowed });
  };
  if (resource.hasStatus) sub("status", { kind }, subresourceVerbs);
  if (resource.scale) sub("scale", { group: "autoscaling", version: "v1", kind: "Scale" }, subresourceVerbs);
  if (plural === "pods" && resource.group === "") {
    sub("log", { kind }, ["get"]);
    sub("binding", { kind: "Binding" }, ["create"]);
    sub("eviction", { group: "policy", version: "v1", kind: "Eviction" }, ["create"]);
  }
  if (plural === "namespaces") sub("finalize", { kind }, ["update"]);
  return listed;
}

const subresourcesOf = (listed: readonly JsonObject[], plural: unknown): JsonObject[] =>
  listed.filter(({ name }) => String(name).startsWith(`${String(plural)}/`));

/** Everything under `/api` or `/apis` in one answer, as kubectl asks for it first. */
export function aggregatedDiscovery(registry: Registry, root: "/api" | "/apis"): JsonObject {
  const found = root === "/api" ? new Map([["", ["v1"]]]) : groups(registry);
  const items = [...found].map(([group, versions]) => ({
    metadata: { ...(group && { name: group }), creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      resources: aggregatedResources(registry, group, version),
      freshness: "Current",
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

function aggregatedResources(registry: Registry, group: string, version: string): JsonObject[] {
  const listed = objectsAt(resourceList(registry, group, version), "resources");
  const responseKind = (resource: JsonObject): JsonObject => {
    // Nothing stands for the group and version that it is listed in.
    const { group: own = "", version: ownVersion = "", kind } = resource;
    return { group: own, version: ownVersion, kind };
  };
  return listed
    .filter(({ name }) => !String(name).includes("/"))
    .map((resource) => {
      const { name, singularName, namespaced, verbs: allowed, shortNames, categories } = resource;
      const subresources = subresourcesOf(listed, name).map((sub) => ({
        subresource: String(sub["name"]).split("/")[1],
        responseKind: responseKind(sub),
        verbs: sub["verbs"],
      }));
      return {
        resource: name,
        responseKind: responseKind(resource),
        scope: namespaced === true ? "Namespaced" : "Cluster",
        singularResource: singularName,
        verbs: allowed,
        ...(shortNames !== undefined && { shortNames }),
        ...(categories !== undefined && { categories }),
        ...(subresources.length > 0 && { subresources }),
      };
    });
}

/** The answer to a discovery path, or undefined when it is none. */
export function discover(registry: Registry, path: string): JsonObject | undefined {
  const all = groups(registry);
  switch (path) {
    case "/version":
      return serverVersion;
    case "/api":
      return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
    case "/apis":
      return {
        kind: "APIGroupList",
        apiVersion: "v1",
        groups: [...all].map(([name, versions]) => apiGroup(name, versions)),
      };
    case "/api/v1":
      return resourceList(registry, "", "v1");
  }
  const [root, group = "", version, ...more] = path.split("/").slice(1);
  if (root !== "apis" || more.length > 0) return undefined;
  const versions = all.get(group);
  if (version === undefined) return versions && { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group, versions) };
  return versions?.includes(version) ? resourceList(registry, group, version) : undefined;
}
