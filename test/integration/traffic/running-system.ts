import { readFile } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import type { Program } from "../../../local/kubelet/programs.ts";
import { configMaps } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { openFronts } from "../../support/front.ts";
import type { Fronts } from "../../support/front.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture } from "../objects/fixture.ts";

/** An operator, the loan models, and runtimes as processes of this machine. */
export interface RunningSystem {
  readonly cluster: TestCluster;
  readonly fixture: Fixture;
  readonly fronts: Fronts;
  close(): Promise<void>;
}

export const sticky = { traffic: { sticky: { header: "x-user-id" } } };

export async function startRunningSystem(programs: readonly Program[] = []): Promise<RunningSystem> {
  const stack = new AsyncDisposableStack();
  try {
    const cluster = await startTestCluster("processes", programs);
    stack.defer(() => cluster.close());
    const fixture = new Fixture(cluster);
    for (const document of parseAllDocuments(await readFile("examples/loan/configmaps.yaml", "utf8")))
      await fixture.create(configMaps, document.toJS() as KubeObject);
    await cluster.startOperator();
    const fronts = await openFronts(cluster.kubeConfig);
    stack.defer(() => fronts.close());
    return { cluster, fixture, fronts, close: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
