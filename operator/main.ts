#!/usr/bin/env node
import { hostname } from "node:os";
import { KubeConfig } from "@kubernetes/client-node";
import { readConfig } from "./config.ts";
import { systemClock } from "./kube/clock.ts";
import { createLoggers } from "./observability/logger.ts";
import { startOperator } from "./operator.ts";

const config = readConfig(process.argv, hostname());
const logs = createLoggers(config.logLevels);
const log = logs.operator;
const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();

const operator = await startOperator({
  kubeConfig,
  config,
  clock: systemClock,
  log,
  areaLogs: logs,
  onLeadershipLost: (reason) => {
    log.error({ reason }, "leadership lost, ending at once");
    process.exit(1);
  },
});

let isStopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.on(signal, () => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, "stopping");
    operator.stop().then(
      () => log.info({}, "stopped"),
      (error: unknown) => {
        log.error({ err: error }, "not stopped cleanly");
        process.exitCode = 1;
      },
    );
  });
