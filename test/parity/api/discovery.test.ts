import { compareServers } from "../compare.ts";
import { get, post } from "../request.ts";
import type { Request, Step } from "../request.ts";

type Json = Record<string, unknown>;
type Listed = Json & { name: string };

/** What both servers have, as far as one of them has more. */
const groups = [
  "apps",
  "autoscaling",
  "policy",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "rbac.authorization.k8s.io",
  "apiextensions.k8s.io",
  "authorization.k8s.io",
  "events.k8s.io",
];
const kinds: Record<string, readonly string[]> = {
  "/api/v1": [
    "namespaces",
    "pods",
    "services",
    "configmaps",
    "secrets",
    "events",
    "nodes",
    "serviceaccounts",
    "endpoints",
  ],
  "/apis/apps/v1": ["deployments", "replicasets"],
  "/apis/autoscaling/v2": ["horizontalpodautoscalers"],
  "/apis/policy/v1": ["poddisruptionbudgets"],
  "/apis/coordination.k8s.io/v1": ["leases"],
  "/apis/discovery.k8s.io/v1": ["endpointslices"],
  "/apis/events.k8s.io/v1": ["events"],
  "/apis/rbac.authorization.k8s.io/v1": ["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
  "/apis/apiextensions.k8s.io/v1": ["customresourcedefinitions"],
  "/apis/authorization.k8s.io/v1": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
};
/** Subresources that the embedded server serves; the real one has more (proxy, exec, ephemeralcontainers, …). */
const subresources = ["status", "scale", "log", "binding", "eviction", "finalize"];

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const byName = (left: Listed, right: Listed): number => (left.name < right.name ? -1 : 1);

/** The resources of a group and version that both serve, without what tells stored versions apart. */
function resources(path: string): Request {
  const wanted = (name: string): boolean => {
    const [plural = "", subresource] = name.split("/");
    return (kinds[path] ?? []).includes(plural) && (subresource === undefined || subresources.includes(subresource));
  };
  const part = (body: unknown): unknown => {
    const list = body as Json & { resources: Listed[] };
    const shared = list.resources.filter(({ name }) => wanted(name)).toSorted(byName);
    return { ...list, resources: shared.map((resource) => ({ ...resource, storageVersionHash: undefined })) };
  };
  return get(path, { part });
}

const sharedGroups = (body: unknown): unknown => {
  const list = body as Json & { groups: (Listed & { versions: Json[] })[] };
  const shared = list.groups.filter(({ name }) => groups.includes(name)).toSorted(byName);
  return { ...list, groups: shared.map(({ name, preferredVersion }) => ({ name, preferredVersion })) };
};

type Discovered = { resource: string; subresources?: { subresource: string }[] };
type DiscoveredGroup = { metadata: { name?: string }; versions: { version: string; resources: Discovered[] }[] };

/** Of aggregated discovery what both serve, group by group in one order. */
const sharedDiscovery = (body: unknown): unknown => {
  const list = body as Json & { items: DiscoveredGroup[] };
  const items = list.items.flatMap(({ metadata: { name = "" }, versions }) =>
    versions.flatMap(({ version, resources: found, ...more }) => {
      const path = name === "" ? `/api/${version}` : `/apis/${name}/${version}`;
      const shared = found
        .filter(({ resource }) => kinds[path]?.includes(resource))
        .map((resource) => ({
          ...resource,
          subresources: (resource.subresources ?? [])
            .filter(({ subresource }) => subresources.includes(subresource))
            .toSorted((a, b) => (a.subresource < b.subresource ? -1 : 1)),
        }))
        .toSorted((a, b) => (a.resource < b.resource ? -1 : 1));
      return shared.length === 0 ? [] : [{ path, ...more, resources: shared }];
    }),
  );
  return { ...list, items: items.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
};

const review = (plural: string, spec: object): Step => post(`/apis/authorization.k8s.io/v1/${plural}`, { spec });
const allowed = (body: unknown): unknown => {
  const { status, ...rest } = body as { status: { allowed: boolean } };
  return { ...rest, allowed: status.allowed };
};

compareServers(
  "discovery, health and reviews",
  [
    ["the groups, each with its preferred version", get("/apis", { part: sharedGroups })],
    ...groups
      .filter((group) => !["autoscaling", "apps"].includes(group))
      .map((group) => [`the group ${group}`, get(`/apis/${group}`)] as const),
    ["the group apps", get("/apis/apps")],
    ...Object.keys(kinds).map((path) => [`the resources of ${path}`, resources(path)] as const),
    ["aggregated discovery of the core group", get("/api", { accept: aggregated, part: sharedDiscovery })],
    ["aggregated discovery of all groups", get("/apis", { accept: aggregated, part: sharedDiscovery })],
    [
      "aggregated discovery, or plain where there is none",
      get("/api", { accept: `${aggregated},application/json`, part: sharedDiscovery }),
    ],
    [
      "a group and a version that there are not",
      get("/apis/nothing.example.com"),
      get("/apis/apps/v9"),
      get("/apis/nothing.example.com/v1"),
    ],
    ["a path that is none", get("/nothing")],
    [
      "the version",
      get("/version", {
        part: (body) => (({ major, minor, gitVersion }) => ({ major, minor, gitVersion }))(body as Json),
      }),
    ],
    [
      "health",
      get("/healthz"),
      get("/readyz"),
      get("/livez"),
      get("/healthz/ping"),
      get("/readyz/ping"),
      get("/livez/ping"),
    ],
    ["health of a part that there is not", get("/healthz/nothing")],
    ["reviews are asked only", get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")],
  ],
  [
    {
      because: "a client without a kubeconfig is not sent elsewhere",
      at: ["step 1.body.serverAddressByClientCIDRs"],
      of: ["the versions of the core group", get("/api")],
    },
    {
      because: "a review is answered, never managed",
      at: ["step 1.body.metadata", "step 1.body.status.reason", "step 2.body.metadata"],
      of: [
        "what a person may do",
        review("selfsubjectaccessreviews", {
          resourceAttributes: { verb: "create", resource: "pods", namespace: "default" },
        }),
        {
          ...post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
            spec: { nonResourceAttributes: { path: "/metrics", verb: "get" } },
          }),
          part: allowed,
        },
      ],
    },
    {
      because: "a review without a question is answered with yes",
      at: ["step 1"],
      of: ["a review without a question", post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {})],
    },
  ],
);
