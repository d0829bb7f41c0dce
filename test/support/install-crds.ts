import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { serverSideApply } from "../../operator/kube/apply.ts";
import { collectionPath } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import type { KubeTransport } from "../../operator/kube/transport.ts";
import { modelDeployments } from "../../operator/reconcile/resource-types.ts";
import { eventually } from "./eventually.ts";
import { customResourceDefinitions } from "./resource-types.ts";

/** Installs what is in crds/, and waits until the API server serves it. */
export async function installCrds(client: KubeTransport): Promise<void> {
  for (const file of await readdir("crds")) {
    const text = await readFile(join("crds", file), "utf8");
    for (const document of parseAllDocuments(text)) {
      await serverSideApply(client, customResourceDefinitions, document.toJS() as KubeObject, {
        fieldManager: "slipway-test",
        force: true,
      });
    }
  }
  await eventually(() => client.request("GET", collectionPath(modelDeployments)), 10_000);
}
