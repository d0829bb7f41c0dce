import { ANNOTATIONS } from "../api/names.ts";
import { applyStatus, deleteObject, patchMerge, serverSideApply } from "../kube/apply.ts";
import { isConflict, isForbidden, isInvalid, isNotFound } from "../kube/errors.ts";
import { configMaps, keyOf, objectPath, pods } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { KubeClient } from "../kube/transport.ts";
import type { ModelDeploymentStatus } from "../api/status.ts";
import type { Applied } from "../status/facts.ts";
import { needsApply, withDesiredDigest } from "./difference.ts";
import { ownershipOf } from "./ownership.ts";
import { replicasOwners } from "./replicas-owners.ts";
import { childKey, modelDeployments, typeOf } from "./resource-types.ts";
import type { Pod } from "./world.ts";

const FIELD_MANAGER = "slipway-operator";
/** Holds `spec.replicas` while an HPA decides it: see `handOverReplicas`. */
const REPLICAS_MANAGER = "slipway-initial-replicas";

type Scalable = KubeObject & { spec?: { replicas?: number } };
type Outcome = "Done" | { readonly notOwned: string } | { readonly refused: Applied["refused"][number] };

/** The only place that writes. Nothing is written that is already so. */
export class Cluster {
  readonly #client: KubeClient;
  readonly #remember: (written: KubeObject) => void;

  constructor(client: KubeClient, remember: (written: KubeObject) => void) {
    this.#client = client;
    this.#remember = remember;
  }

  /**
   * Brings the children to what is desired: the first before all others, because it records what they follow from.
   * That record and the routes are written only if they are still as they were seen: a write that was on its way for
   * longer than the lease must not undo another operator's. `initialReplicas` are what a Deployment without `replicas` starts with, by child key.
   */
  async apply(
    owner: KubeObject,
    desired: readonly KubeObject[],
    observed: readonly KubeObject[],
    initialReplicas: ReadonlyMap<string, number>,
  ): Promise<Applied> {
    const known = new Map(observed.map((child) => [childKey(child), child]));
    const [first, ...rest] = desired.map(withDesiredDigest);
    const write = (child: KubeObject): Promise<Outcome> =>
      this.#applyChild(owner, child, known.get(childKey(child)), initialReplicas.get(childKey(child)), {
        onlyIfUnchanged: child === first || child.kind === configMaps.kind,
      });
    const ahead = first === undefined ? [] : [await write(first)];
    const isBlocked = ahead.some((outcome) => outcome !== "Done");
    const outcomes = isBlocked ? ahead : [...ahead, ...(await settleAll(rest.map(write)))];
    return {
      notOwned: outcomes.flatMap((outcome) => (outcome !== "Done" && "notOwned" in outcome ? [outcome.notOwned] : [])),
      refused: outcomes.flatMap((outcome) => (outcome !== "Done" && "refused" in outcome ? [outcome.refused] : [])),
    };
  }

  /**
   * Whether the object is still there and not on its way out, as the API server has it now: a watch may tell later of its
   * end than of children that this end has left without an owner. Taken back for it, they would be collected.
   */
  async isLive(owner: KubeObject): Promise<boolean> {
    const { uid, deletionTimestamp } = (await this.#read(owner, modelDeployments))?.metadata ?? {};
    return uid === owner.metadata.uid && deletionTimestamp === undefined;
  }

  /** Deletes the children of ours that are no longer desired, as they were seen: not what another one made of them. */
  async prune(owner: KubeObject, desired: readonly KubeObject[], observed: readonly KubeObject[]): Promise<void> {
    const wanted = new Set(desired.map(childKey));
    const surplus = observed.filter(
      (child) =>
        !wanted.has(childKey(child)) &&
        child.metadata.deletionTimestamp === undefined &&
        ownershipOf(child, owner) === "Ours",
    );
    await settleAll(
      surplus.map(async (child) => deleteObject(this.#client, typeOf(child), keyOf(child), preconditionsOf(child))),
    );
  }

  async writeStatus(owner: KubeObject, status: ModelDeploymentStatus): Promise<void> {
    const { name, namespace, uid } = owner.metadata;
    const object = { apiVersion: owner.apiVersion, kind: owner.kind, metadata: { name, namespace, uid }, status };
    try {
      const written = await applyStatus(this.#client, modelDeployments, object as KubeObject, {
        fieldManager: FIELD_MANAGER,
      });
      this.#remember(written);
    } catch (error) {
      if (!isNotFound(error)) throw error; // deleted meanwhile: there is nobody left to tell
    }
  }

  /** Changes an annotation of a router pod, so that its kubelet brings the mounted ConfigMap up to date at once. */
  async touch(pod: Pod, mark: string): Promise<void> {
    const { uid } = pod.metadata;
    const patch = { metadata: { annotations: { [ANNOTATIONS.trafficTouch]: mark } } };
    try {
      await patchMerge(this.#client, pods, keyOf(pod), patch, { uid, fieldManager: FIELD_MANAGER });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error; // the pod is gone, or another one has its name
    }
  }

  async #applyChild(
    owner: KubeObject,
    desired: KubeObject,
    observed: KubeObject | undefined,
    initialReplicas: number | undefined,
    { onlyIfUnchanged }: { onlyIfUnchanged: boolean },
  ): Promise<Outcome> {
    try {
      const existing = observed ?? (await this.#unlabelled(desired));
      if (existing === undefined) return await this.#create(owner, desired, initialReplicas);
      if (ownershipOf(existing, owner) === "Foreign") return { notOwned: childKey(desired) };
      if (!needsApply(desired, existing)) return "Done";
      if (initialReplicas !== undefined) await this.#handOverReplicas(existing);
      const { resourceVersion } = existing.metadata;
      const written = onlyIfUnchanged ? { ...desired, metadata: { ...desired.metadata, resourceVersion } } : desired;
      await this.#write(written as KubeObject, true);
      return "Done";
    } catch (error) {
      const refused = refusal(desired, error);
      if (refused === undefined) throw error;
      return { refused };
    }
  }

  /**
   * A ConfigMap of that name without our label is in no cache, and would be merged with ours without a conflict. Other
   * kinds have a field (a selector, a scale target) on which two writers never agree: see `#create`.
   */
  async #unlabelled(desired: KubeObject): Promise<KubeObject | undefined> {
    return desired.kind === configMaps.kind ? this.#read(desired) : undefined;
  }

  async #create(owner: KubeObject, desired: KubeObject, initialReplicas: number | undefined): Promise<Outcome> {
    const created = initialReplicas === undefined ? desired : withReplicas(desired, initialReplicas);
    try {
      await this.#write(created, false);
      return "Done";
    } catch (error) {
      if (!isConflict(error) && !isInvalid(error)) throw error;
      const existing = await this.#read(desired);
      if (existing === undefined) throw error;
      if (ownershipOf(existing, owner) === "Foreign") return { notOwned: childKey(desired) };
      if (initialReplicas !== undefined) await this.#handOverReplicas(existing);
      await this.#write(desired, true);
      return "Done";
    }
  }

  /**
   * Under an HPA `replicas` is not ours. A field that its only owner stops applying falls back to its default, 1 pod;
   * so before we let go of it, another field manager takes it over with the value that it has.
   */
  async #handOverReplicas(existing: Scalable): Promise<void> {
    const { apiVersion, kind, metadata, spec } = existing;
    const owners = replicasOwners(existing).map(({ manager }) => manager);
    if (!owners.includes(FIELD_MANAGER) || owners.length > 1) return;
    const { name, namespace, uid } = metadata;
    const held = { apiVersion, kind, metadata: { name, namespace, uid }, spec: { replicas: spec?.replicas ?? 1 } };
    await serverSideApply(this.#client, typeOf(held as KubeObject), held as KubeObject, {
      fieldManager: REPLICAS_MANAGER,
      force: false,
    });
  }

  async #write(child: KubeObject, force: boolean): Promise<void> {
    const written = await serverSideApply(this.#client, typeOf(child), child, { fieldManager: FIELD_MANAGER, force });
    this.#remember(written);
  }

  async #read(object: KubeObject, type = typeOf(object)): Promise<KubeObject | undefined> {
    const path = objectPath(type, keyOf(object));
    try {
      return await this.#client.request<KubeObject>("GET", path, { action: `reading ${childKey(object)}` });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

function preconditionsOf({ metadata }: KubeObject): { uid: string | undefined; resourceVersion: string | undefined } {
  return { uid: metadata.uid, resourceVersion: metadata.resourceVersion };
}

function withReplicas(child: KubeObject, replicas: number): KubeObject {
  const { spec } = child as Scalable;
  return { ...child, spec: { ...spec, replicas } } as KubeObject;
}

/** All writes end before the first error is thrown: none is left running behind the reconcile's back. */
async function settleAll<T>(writes: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(writes);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** What the API server will say again until someone changes something: a state to report, not an error to retry. */
function refusal(child: KubeObject, error: unknown): Applied["refused"][number] | undefined {
  if (!isForbidden(error) && !isInvalid(error)) return undefined;
  return { child: childKey(child), message: error.message, quota: /exceeded quota/.test(error.message) };
}
