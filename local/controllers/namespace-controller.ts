import { hasStatus } from "../cluster/client.ts";
import { pathOf, type AllResources } from "./all-resources.ts";
import type { ControllerContext, RunningController } from "./context.ts";
import type { Namespace } from "./objects.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";

/** Empties deleted namespaces and then lets go of them. */
export function startNamespaceController(context: ControllerContext, all: AllResources): RunningController {
  const { namespaces } = context.view;
  const loop = new ReconcileLoop("namespace", (name) => emptyNamespace(context, all, name), context.logger);
  namespaces.subscribe(({ object }) => loop.add(object.metadata.name));
  all.subscribe(({ object, isGone }) => {
    if (isGone && object.metadata.namespace) loop.add(object.metadata.namespace);
  });
  for (const namespace of namespaces.list()) loop.add(namespace.metadata.name);
  return loop;
}

async function emptyNamespace({ client, view }: ControllerContext, all: AllResources, name: string): Promise<void> {
  const namespace = view.namespaces.list().find(({ metadata }) => metadata.name === name);
  if (namespace?.metadata.deletionTimestamp === undefined) return;
  let remaining = 0;
  for (const resource of all.list()) {
    if (!resource.namespaced) continue;
    const content = resource.mirror.list().filter(({ metadata }) => metadata.namespace === name);
    remaining += content.length;
    for (const { metadata } of content) {
      if (metadata.deletionTimestamp === undefined)
        await remove(client, pathOf(resource, name, metadata.name), metadata.uid);
    }
  }
  if (remaining === 0) await finalize(client, namespace);
}

async function remove(client: ControllerContext["client"], path: string, uid: string): Promise<void> {
  try {
    await client.request("DELETE", path, { body: { preconditions: { uid } } });
  } catch (error) {
    if (!hasStatus(error, 404, 409)) throw error;
  }
}

async function finalize(client: ControllerContext["client"], namespace: Namespace): Promise<void> {
  const { name } = namespace.metadata;
  await client.request("DELETE", `/api/v1/namespaces/${name}/events`);
  const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== "kubernetes");
  try {
    await client.request("PUT", `/api/v1/namespaces/${name}/finalize`, {
      body: { ...namespace, apiVersion: "v1", kind: "Namespace", spec: { ...namespace.spec, finalizers } },
    });
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
}
