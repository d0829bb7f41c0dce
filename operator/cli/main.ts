#!/usr/bin/env node
import { KubeConfig } from "@kubernetes/client-node";
import { Command } from "commander";
import { systemClock } from "../kube/clock.ts";
import { KubeTransport } from "../kube/transport.ts";
import { readCliConfig } from "./config.ts";
import { printStatus } from "./status.ts";

const config = readCliConfig();
const program = new Command("slipway")
  .description("For machines without kubectl: looks at the cluster of KUBECONFIG, else at the one that npm start runs.")
  .option("--kubeconfig <file>", "the cluster", config.kubeconfig);

program
  .command("status")
  .description("the ModelDeployments and their state, as `kubectl get mdep -A` shows them")
  .argument("[name]", "one object, in detail")
  .option("-n, --namespace <name>", "one namespace; all when omitted")
  .action(async (name: string | undefined, { namespace }: { namespace?: string }) => {
    const kubeConfig = new KubeConfig();
    const { kubeconfig } = program.opts<{ kubeconfig?: string }>();
    if (kubeconfig === undefined) kubeConfig.loadFromDefault();
    else kubeConfig.loadFromFile(kubeconfig);
    const client = new KubeTransport(kubeConfig, { userAgent: "slipway-cli", requestTimeoutMs: 5_000 });
    try {
      process.stdout.write(await printStatus(client, { name, namespace }, systemClock.now()));
    } finally {
      await client.close();
    }
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
