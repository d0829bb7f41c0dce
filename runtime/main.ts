import { parseArgs } from "node:util";

import type { Logger } from "pino";

import { ConfigError, processEnvironment, readConfig, terminationMessagePath, usage } from "./config.ts";
import type { Config } from "./config.ts";
import { LoadError } from "./load-error.ts";
import { createLogger } from "./observability/logger.ts";
import { cpuShare } from "./processes/cpu-share.ts";
import { writeTerminationMessage } from "./termination-message.ts";

const environment = processEnvironment();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { help: { type: "boolean", short: "h" } }, strict: false });
  const isUnderstood = positionals.length === 0 && Object.keys(values).every((option) => option === "help");
  if (values["help"] || !isUnderstood) {
    (isUnderstood ? process.stdout : process.stderr).write(usage());
    return isUnderstood ? 0 : 2;
  }
  const config = readConfigOrReport();
  return config ? run(config, createLogger(config.logLevel, config.logPredictionsSink?.kind === "stdout")) : 1;
}

function readConfigOrReport(): Config | undefined {
  try {
    return readConfig(environment, cpuShare());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report(new LoadError("InvalidConfiguration", error.message, { cause: error }), createLogger("info"));
    return undefined;
  }
}

/** In this process, or in several that this one looks after. Resolves with the exit code. */
async function run(config: Config, logger: Logger): Promise<number> {
  if (config.processes === 1) {
    const [{ serve }, { alone }] = await Promise.all([import("./serve.ts"), import("./processes/pod.ts")]);
    return exitCode(await serve({ config, logger, pod: alone(config), onStop: onSignal(logger) }), logger);
  }
  const { default: cluster } = await import("node:cluster");
  if (cluster.isWorker) {
    const { serveInPod } = await import("./processes/process.ts");
    return serveInPod(config, logger);
  }
  const { Supervisor } = await import("./processes/supervisor.ts");
  const supervisor = new Supervisor(config, logger);
  onSignal(logger)(() => supervisor.stop());
  supervisor.start();
  return exitCode(await supervisor.ended, logger);
}

function onSignal(logger: Logger): (stop: () => void) => void {
  return (stop) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        logger.info({ signal }, "signal received");
        stop();
      });
    }
  };
}

function exitCode(failure: LoadError | undefined, logger: Logger): number {
  if (failure !== undefined) report(failure, logger);
  return failure === undefined ? 0 : 1;
}

/** Tells the log and Kubernetes why there is nothing to serve. */
function report(failure: LoadError, logger: Logger): void {
  const { reason, permanent, cause } = failure;
  const isUnexpected = reason === "InvalidModel" && !permanent;
  logger.fatal({ reason, permanent, ...(isUnexpected && { err: cause }) }, failure.message);
  const path = terminationMessagePath(environment);
  try {
    writeTerminationMessage(path, failure);
  } catch (cause) {
    logger.warn({ err: cause, path }, "the termination message could not be written; set TERMINATION_MESSAGE_PATH");
  }
}

void main().then((code) => process.exit(code));
