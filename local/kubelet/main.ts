import { resolve } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { Command } from "commander";
import { pino } from "pino";
import { ClusterClient } from "../cluster/client.ts";
import { ClusterView } from "../cluster/view.ts";
import { machineConfig } from "../config.ts";
import { Kubelet } from "./kubelet.ts";
import { parseProgram, slipwayPrograms } from "./programs.ts";
import type { Program } from "./programs.ts";

/** A kubelet by itself, for an API server that runs elsewhere: `node local/kubelet/main.ts --kubeconfig FILE`. */
interface Flags {
  kubeconfig?: string;
  folder: string;
  nodeName: string;
  cpu?: string;
  memory?: string;
  longestPreStop?: number;
  program: Program[];
}

const flags = new Command("kubelet")
  .description("Runs the pods that are bound to its node as processes of this machine.")
  .option("--kubeconfig <file>", "the cluster to join; by default as kubectl finds it")
  .option("--folder <folder>", "for pods' files and logs", ".slipway/kubelet")
  .option("--node-name <name>", "name of the Node", "local")
  .option("--cpu <quantity>", "CPU that the Node offers, if not the machine's")
  .option("--memory <quantity>", "memory that the Node offers, if not the machine's")
  .option("--longest-pre-stop <seconds>", "cap of preStop's sleep; none by default", Number)
  .option("--program <json>", 'one more image: {"image": "loan-api", "command": ["python3", "app.py"]}', addProgram, [])
  .parse()
  .opts<Flags>();

const logger = pino();
const kubeConfig = new KubeConfig();
if (flags.kubeconfig === undefined) kubeConfig.loadFromDefault();
else kubeConfig.loadFromFile(flags.kubeconfig);

const { envoy, programEnvironment, tiedToParent } = machineConfig();
const client = await ClusterClient.connect(kubeConfig);
const view = new ClusterView(client, logger);
await view.start();
const kubelet = await Kubelet.start({
  client,
  view,
  folder: resolve(flags.folder),
  programs: [...slipwayPrograms(envoy), ...flags.program],
  programEnvironment,
  launcher: tiedToParent,
  ...(flags.longestPreStop !== undefined && { longestPreStopSeconds: flags.longestPreStop }),
  nodeName: flags.nodeName,
  capacity: {
    ...(flags.cpu !== undefined && { cpu: flags.cpu }),
    ...(flags.memory !== undefined && { memory: flags.memory }),
  },
  logger,
});
logger.info({ node: flags.nodeName, server: client.server }, "the node is ready");

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stop());
}

async function stop(): Promise<void> {
  await kubelet.close({ removeNode: true });
  await view.close();
  await client.close();
}

function addProgram(json: string, before: readonly Program[]): Program[] {
  return [...before, parseProgram(json)];
}
