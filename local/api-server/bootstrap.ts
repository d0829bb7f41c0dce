import type { Cluster, WriteOptions } from "./cluster.ts";
import { createObject } from "./requests/create.ts";

const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

interface NamedObject {
  metadata: { name: string; labels?: Record<string, string> };
  spec?: object;
}

/** What a cluster holds from the start; what is there already stays as it is. */
export function createInitialObjects(cluster: Cluster): void {
  const options: WriteOptions = {
    fieldManager: "kube-apiserver",
    fieldValidation: "Ignore",
    dryRun: false,
    force: false,
    warnings: [],
  };
  const create = (plural: string, namespace: string | undefined, object: NamedObject): void => {
    const resource = cluster.registry.find("", "v1", plural);
    if (resource === undefined) throw new Error(`creating the initial ${plural}: there is no such kind`);
    if (cluster.storage.get(resource.storageKey, namespace, object.metadata.name)) return;
    const typed = { apiVersion: "v1", kind: resource.kind, ...object };
    createObject(cluster, resource, namespace, { object: typed }, options);
  };
  for (const name of namespaces) create("namespaces", undefined, { metadata: { name } });
  create("services", "default", {
    metadata: { name: "kubernetes", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.96.0.1",
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 6443 }],
    },
  });
}
