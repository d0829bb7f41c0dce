import { startServersWithControllers } from "../clusters.ts";
import { compareServers } from "../compare.ts";
import {
  configMap,
  configMapOf,
  deployment,
  deploymentOf,
  get,
  gone,
  mergePatch,
  metadataOf,
  post,
  remove,
} from "../request.ts";
import type { Answer, Request, Step } from "../request.ts";

type Metadata = { deletionTimestamp?: string; finalizers?: string[]; ownerReferences?: object[] };

const metadata = ({ body }: Answer): Metadata => (body as { metadata?: Metadata }).metadata ?? {};
/** What the garbage collector looks at and changes; who wrote it is the controllers' own business. */
const lifeOf = (body: unknown): unknown => {
  const { kind, code, metadata: of = {} } = body as { kind: string; code?: number; metadata?: Record<string, unknown> };
  const { name, uid, deletionTimestamp, deletionGracePeriodSeconds, finalizers, ownerReferences } = of;
  return {
    kind,
    code,
    metadata: { name, uid, deletionTimestamp, deletionGracePeriodSeconds, finalizers, ownerReferences },
  };
};

const owner = (name = "owner", more: object = {}): Step => post(configMap(), configMapOf(name, {}, more));
interface Owning {
  /** By the indexes of the steps that made them. */
  readonly by?: readonly number[];
  readonly blocking?: boolean;
  readonly uid?: string;
  readonly finalizers?: readonly string[];
  readonly in?: string;
}
/** A ConfigMap that ConfigMaps own. */
const owned =
  (name: string, { by = [0], blocking = false, uid, finalizers = [], in: path = configMap() }: Owning = {}) =>
  (answers: readonly Answer[]): Request => {
    const ownerReferences = by.map((index) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      name: metadataOf(answers, "name", index),
      uid: uid ?? metadataOf(answers, "uid", index),
      ...(blocking && { blockOwnerDeletion: true }),
    }));
    return post(path, configMapOf(name, {}, { ownerReferences, finalizers }), { part: lifeOf });
  };
const removed = (name: string, propagationPolicy?: string): Step =>
  remove(configMap(name), propagationPolicy && { propagationPolicy }, { part: lifeOf });
const life = (name: string, until?: (of: Metadata) => boolean): Step =>
  get(configMap(name), { part: lifeOf, ...(until && { until: (answer) => until(metadata(answer)) }) });
const letGo = (name: string): Step => mergePatch(configMap(name), { metadata: { finalizers: null } }, { part: lifeOf });
const isBeingDeleted = ({ deletionTimestamp }: Metadata): boolean => deletionTimestamp !== undefined;
const hasOwners =
  (count: number) =>
  ({ ownerReferences = [] }: Metadata): boolean =>
    ownerReferences.length === count;
const hold = ["example.com/hold"];
const clusterRole = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const namespace = "/api/v1/namespaces/{ns}";

compareServers(
  "garbage collection",
  [
    ["in the background dependents go after their owner", owner(), owned("a"), removed("owner"), gone(configMap("a"))],
    [
      "and theirs after them",
      owner(),
      owned("a"),
      owned("b", { by: [1] }),
      removed("owner", "Background"),
      gone(configMap("b")),
    ],
    [
      "a dependent's finalizer holds it, and not its owner",
      owner(),
      owned("a", { finalizers: hold }),
      removed("owner", "Background"),
      life("owner"),
      life("a", isBeingDeleted),
      letGo("a"),
      gone(configMap("a")),
    ],
    [
      "in the foreground the owner waits for dependents that block it",
      owner(),
      owned("a", { blocking: true, finalizers: hold }),
      removed("owner", "Foreground"),
      life("a", isBeingDeleted),
      life("owner"),
      letGo("a"),
      gone(configMap("owner")),
      gone(configMap("a")),
    ],
    [
      "in the foreground the owner does not wait for others, which go, too",
      owner(),
      owned("a", { finalizers: hold }),
      owned("b"),
      removed("owner", "Foreground"),
      gone(configMap("owner")),
      life("a", isBeingDeleted),
      gone(configMap("b")),
      letGo("a"),
    ],
    [
      "in the foreground a dependent with dependents waits for them",
      owner(),
      owned("a", { blocking: true }),
      owned("b", { by: [1], blocking: true, finalizers: hold }),
      removed("owner", "Foreground"),
      life("b", isBeingDeleted),
      life("a"),
      life("owner"),
      letGo("b"),
      gone(configMap("owner")),
    ],
    [
      "orphans lose the reference and stay",
      owner(),
      owned("a", { blocking: true }),
      removed("owner", "Orphan"),
      gone(configMap("owner")),
      life("a", hasOwners(0)),
    ],
    [
      "with one of two owners gone, a dependent stays and forgets it",
      owner("one"),
      owner("two"),
      owned("a", { by: [0, 1] }),
      removed("one"),
      life("a", hasOwners(1)),
      removed("two"),
      gone(configMap("a")),
    ],
    [
      "with one of two owners waiting, a dependent stays and lets it go",
      owner("one"),
      owner("two"),
      owned("a", { by: [0, 1], blocking: true }),
      removed("one", "Foreground"),
      gone(configMap("one")),
      life("a", hasOwners(1)),
    ],
    [
      "orphaned by one of two owners, a dependent keeps the other",
      owner("one"),
      owner("two"),
      owned("a", { by: [0, 1] }),
      removed("one", "Orphan"),
      gone(configMap("one")),
      life("a", hasOwners(1)),
    ],
    [
      "owners that own each other go together",
      owner("one"),
      owned("two", { blocking: true }),
      (answers) =>
        mergePatch(
          configMap("one"),
          {
            metadata: {
              ownerReferences: [
                {
                  apiVersion: "v1",
                  kind: "ConfigMap",
                  name: "two",
                  uid: metadataOf(answers, "uid", 1),
                  blockOwnerDeletion: true,
                },
              ],
            },
          },
          { part: lifeOf },
        ),
      removed("one", "Foreground"),
      gone(configMap("one")),
      gone(configMap("two")),
    ],
    [
      "an owner of the right name and another uid is none",
      owner(),
      owned("a", { uid: "11111111-1111-1111-1111-111111111111" }),
      gone(configMap("a")),
      life("owner"),
    ],
    [
      "an owner in another namespace is none",
      owner(),
      owned("{ns}-a", { in: "/api/v1/namespaces/default/configmaps" }),
      gone("/api/v1/namespaces/default/configmaps/{ns}-a"),
      life("owner"),
    ],
    [
      "an owner without a namespace",
      post(clusterRole, { metadata: { name: "{ns}-owner" }, rules: [] }, { part: lifeOf }),
      (answers) =>
        post(
          configMap(),
          configMapOf(
            "a",
            {},
            {
              ownerReferences: [
                {
                  apiVersion: "rbac.authorization.k8s.io/v1",
                  kind: "ClusterRole",
                  name: metadataOf(answers, "name", 0),
                  uid: metadataOf(answers, "uid", 0),
                },
              ],
            },
          ),
          { part: lifeOf },
        ),
      remove(`${clusterRole}/{ns}-owner`),
      gone(configMap("a")),
    ],
    [
      "a dependent that is made after its owner went",
      owner(),
      removed("owner"),
      owned("late"),
      gone(configMap("late")),
    ],
    [
      "a Deployment in the foreground",
      post(deployment(), deploymentOf("web")),
      get("/apis/apps/v1/namespaces/{ns}/replicasets", {
        part: (body) => (body as { items: unknown[] }).items.length,
        until: ({ body }) => body === 1,
      }),
      remove(deployment("web"), { propagationPolicy: "Foreground" }, { part: lifeOf }),
      gone(deployment("web")),
      get("/apis/apps/v1/namespaces/{ns}/replicasets", {
        part: (body) => (body as { items: unknown[] }).items.length,
      }),
    ],
    [
      "a Deployment whose ReplicaSets stay",
      post(deployment(), deploymentOf("web")),
      get("/apis/apps/v1/namespaces/{ns}/replicasets", {
        part: (body) => (body as { items: unknown[] }).items.length,
        until: ({ body }) => body === 1,
      }),
      remove(deployment("web"), { propagationPolicy: "Orphan" }, { part: lifeOf }),
      gone(deployment("web")),
      get("/apis/apps/v1/namespaces/{ns}/replicasets", {
        part: (body) =>
          (body as { items: { metadata: Metadata }[] }).items.map(({ metadata: of }) => of.ownerReferences),
      }),
    ],
    [
      "a namespace goes with all that is in it",
      owner(),
      post(deployment(), deploymentOf("web")),
      remove(namespace, undefined, { part: lifeOf }),
      gone(namespace),
      get(configMap("owner")),
    ],
    [
      "a namespace waits for what a finalizer holds, and takes nothing new",
      owner("a", { finalizers: hold }),
      remove(namespace, undefined, { part: lifeOf }),
      life("a", isBeingDeleted),
      get(namespace, { part: (body) => (body as { status: { phase: string } }).status.phase }),
      post(configMap(), configMapOf("late")),
      letGo("a"),
      gone(namespace),
    ],
  ],
  [],
  [],
  startServersWithControllers,
);
