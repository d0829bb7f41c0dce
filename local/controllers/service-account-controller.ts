import { hasStatus } from "../cluster/client.ts";
import type { ControllerContext, RunningController } from "./context.ts";
import { ReconcileLoop } from "./reconcile-loop.ts";

/** Gives every namespace its ServiceAccount `default`. */
export function startServiceAccountController(context: ControllerContext): RunningController {
  const { namespaces, serviceAccounts } = context.view;
  const loop = new ReconcileLoop("serviceaccount", (namespace) => ensureDefault(context, namespace), context.logger);
  namespaces.subscribe(({ object }) => loop.add(object.metadata.name));
  serviceAccounts.subscribe(({ type, object }) => {
    if (type === "deleted" && object.metadata.namespace) loop.add(object.metadata.namespace);
  });
  for (const namespace of namespaces.list()) loop.add(namespace.metadata.name);
  return loop;
}

async function ensureDefault({ client, view }: ControllerContext, namespace: string): Promise<void> {
  const found = view.namespaces.list().find(({ metadata }) => metadata.name === namespace);
  if (
    found === undefined ||
    found.metadata.deletionTimestamp !== undefined ||
    view.serviceAccounts.get(namespace, "default")
  )
    return;
  try {
    await client.request("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      body: { metadata: { name: "default", namespace } },
    });
  } catch (error) {
    if (!hasStatus(error, 403, 404, 409)) throw error; // there already, or the namespace is going
  }
}
