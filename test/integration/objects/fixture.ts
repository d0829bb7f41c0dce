import { deleteObject, patchMerge, serverSideApply } from "../../../operator/kube/apply.ts";
import { isNotFound } from "../../../operator/kube/errors.ts";
import { collectionPath, objectPath } from "../../../operator/kube/objects.ts";
import type { KubeObject, ResourceType } from "../../../operator/kube/objects.ts";
import { modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import type { ModelDeploymentStatus } from "../../../operator/api/status.ts";
import { eventually } from "../../support/eventually.ts";
import type { TestCluster } from "../../support/test-cluster.ts";

export type ModelDeployment = KubeObject & { spec: Record<string, unknown>; status?: ModelDeploymentStatus };

/** Reads and writes of one test's namespace, in the words of the tests. */
export class Fixture {
  readonly cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  async apply(name: string, spec: object, metadata: object = {}): Promise<ModelDeployment> {
    const object = this.object("serving.slipway.dev/v1alpha1", "ModelDeployment", name, { spec }, metadata);
    return serverSideApply(this.cluster.client, modelDeployments, object, { fieldManager: "test", force: true });
  }

  object(apiVersion: string, kind: string, name: string, fields: object, metadata: object = {}): KubeObject {
    return { apiVersion, kind, metadata: { name, namespace: this.cluster.namespace, ...metadata }, ...fields };
  }

  async create(type: ResourceType, object: KubeObject): Promise<KubeObject> {
    const path = collectionPath(type, this.cluster.namespace);
    return this.cluster.client.request("POST", path, { body: object });
  }

  async get<T extends KubeObject = KubeObject>(type: ResourceType, name: string): Promise<T> {
    return this.cluster.client.request<T>("GET", objectPath(type, this.#key(name)));
  }

  async find<T extends KubeObject = KubeObject>(type: ResourceType, name: string): Promise<T | undefined> {
    return this.get<T>(type, name).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }

  async list<T extends KubeObject = KubeObject>(type: ResourceType, labelSelector?: string): Promise<T[]> {
    const path = collectionPath(type, this.cluster.namespace);
    const options = labelSelector === undefined ? {} : { query: { labelSelector } };
    return (await this.cluster.client.request<{ items: T[] }>("GET", path, options)).items;
  }

  async patch(type: ResourceType, name: string, patch: object): Promise<KubeObject> {
    return patchMerge(this.cluster.client, type, this.#key(name), patch, { fieldManager: "test" });
  }

  async patchStatus(type: ResourceType, name: string, status: object | null): Promise<void> {
    await this.cluster.client.request("PATCH", objectPath(type, this.#key(name), "status"), {
      contentType: "application/merge-patch+json",
      body: { status },
    });
  }

  async delete(type: ResourceType, name: string): Promise<void> {
    await deleteObject(this.cluster.client, type, this.#key(name));
  }

  /** The object once its newest generation is Ready. */
  async ready(name: string, withinMs = 30_000): Promise<ModelDeployment> {
    return this.until(name, (object) => condition(object, "Ready")?.status === "True", withinMs);
  }

  /** The object once its newest generation was reconciled and `holds` of it. */
  async until(name: string, holds: (object: ModelDeployment) => boolean, withinMs = 30_000): Promise<ModelDeployment> {
    return eventually(async () => {
      const object = await this.get<ModelDeployment>(modelDeployments, name);
      const isCurrent = object.status?.observedGeneration === object.metadata.generation;
      if (!isCurrent || !holds(object))
        throw new Error(`${name} is not as awaited: ${JSON.stringify(object.status, null, 1)}`);
      return object;
    }, withinMs);
  }

  /** Name of the child that serves a version of the object: its newest revision. */
  child(object: ModelDeployment, version: string): string {
    const revision = object.status?.revisions?.find((each) => each.version === version && each.state !== "Draining");
    if (revision === undefined)
      throw new Error(`${object.metadata.name} has no revision of ${version}: ${JSON.stringify(object.status)}`);
    return `${object.metadata.name}-${revision.revision}`;
  }

  #key(name: string): { namespace: string; name: string } {
    return { namespace: this.cluster.namespace, name };
  }
}

export function condition({ status }: ModelDeployment, type: string) {
  return status?.conditions?.find((each) => each.type === type);
}

export const oneVersion = { source: { uri: "configmap://loan-v1" } };

export function twoVersions(first: number, second: number, extra: object = {}): object {
  return {
    versions: [
      { name: "v1", weight: first, source: { uri: "configmap://loan-v1" } },
      { name: "v2", weight: second, source: { uri: "configmap://loan-v2" } },
    ],
    ...extra,
  };
}
