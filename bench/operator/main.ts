/** `npm run bench:operator -- --help`: what many ModelDeployments cost on a real API server. */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { KubeTransport } from "../../operator/kube/transport.ts";
import type { KubeClient } from "../../operator/kube/transport.ts";
import { installCrds } from "../../test/support/install-crds.ts";
import { goalText, isReached, shown } from "../report.ts";
import type { Result } from "../report.ts";
import { writeBare } from "./bare-writes.ts";
import { onApiServer, onCluster } from "./figures.ts";
import type { Measured } from "./figures.ts";
import { Fleet } from "./fleet.ts";
import { bundleOperator, OperatorProcess } from "./operator-process.ts";

const USAGE = `npm run bench:operator -- [options]

On the cluster of KUBECONFIG: its API server, controller manager and scheduler, and nodes on which pods become ready at
once, such as kwok's. An operator watches a namespace of its own, which is removed at the end.

  --objects N  how many ModelDeployments, each with an HPA: 1,000; with --api-only 10,000
  --api-only   KUBECONFIG names an API server without controllers; Deployments are told that their pods are ready
  --bare       no operator: how long the same objects and children take when they are only written, and nothing else
  --workers N  of the operator: its default
  --quick      a tenth of the objects and a shorter rest: for a look, not for a claim
  --json       the last line is {"figures":[{"name","value","goal","ok"}]}`;

const OPTIONS = {
  objects: { type: "string" },
  bare: { type: "boolean" },
  workers: { type: "string" },
  "api-only": { type: "boolean" },
  quick: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const { KUBECONFIG: kubeconfig } = process.env;
  if (!kubeconfig) {
    console.error("KUBECONFIG is not set: name the kubeconfig of a cluster for tests; --help says what it needs");
    return 2;
  }
  const isApiOnly = values["api-only"] === true;
  const share = values.quick ? 0.1 : 1;
  const objects = Number(values.objects ?? (isApiOnly ? 10_000 : 1_000) * share);
  if (!(Number.isInteger(objects) && objects > 0)) {
    console.error(`--objects is ${values.objects}: expected a whole number above 0`);
    return 2;
  }
  const note = (text: string): void => console.log(`  ${text}`);
  console.log(`${objects} ModelDeployments; the machine's load before: ${loadavg()[0]?.toFixed(1)}`);
  bundleOperator();
  const client = clientOf(kubeconfig);
  await installCrds(client);
  const namespace = `slipway-bench-${Date.now().toString(36)}`;
  const fleet = new Fleet({ client, namespace, playsController: isApiOnly });
  await fleet.start();
  try {
    if (values.bare) {
      await reportBare(client, fleet, objects);
      return 0;
    }
    const flags = values.workers === undefined ? [] : ["--workers", values.workers];
    const startOperator = (): Promise<OperatorProcess> => OperatorProcess.start(kubeconfig, namespace, flags);
    const idleSeconds = values.quick ? 15 : 60;
    const measured = await (isApiOnly ? onApiServer : onCluster)({ fleet, startOperator, objects, idleSeconds, note });
    report(measured, values.json === true);
    return 0;
  } finally {
    await fleet.stop();
    await client.close();
  }
}

async function reportBare(client: KubeClient, fleet: Fleet, objects: number): Promise<void> {
  const names = Array.from({ length: objects }, (_, index) => `bare-${index}`);
  const seconds = await writeBare(client, names, (name) => fleet.apply(name, 3));
  console.log(`${objects} objects and their children written without an operator: ${seconds.toFixed(1)} s`);
}

function report(measured: readonly Measured[], asJson: boolean): void {
  const results = measured.map(({ name, value, goal }): Result => ({
    name,
    value,
    goal: goalText(goal),
    ok: isReached(value, goal),
  }));
  console.log(results.map(shown).join("\n"));
  if (asJson) console.log(JSON.stringify({ figures: results }));
}

function clientOf(kubeconfig: string): KubeTransport {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfig);
  return new KubeTransport(kubeConfig, { userAgent: "slipway-bench" });
}

process.exitCode = await main();
