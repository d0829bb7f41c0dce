import { parseArgs } from "node:util";

import type { Logger } from "pino";

import { startRuntime } from "./app.ts";
import type { Runtime } from "./app.ts";
import { ConfigError, processEnvironment, readConfig, terminationMessagePath, usage } from "./config.ts";
import type { Config } from "./config.ts";
import { LoadError } from "./load-error.ts";
import { createLogger } from "./observability/logger.ts";
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
  return config ? serve(config, createLogger(config.logLevel, config.logPredictionsSink?.kind === "stdout")) : 1;
}

function readConfigOrReport(): Config | undefined {
  try {
    return readConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report(new LoadError("InvalidConfiguration", error.message, { cause: error }), createLogger("info"));
    return undefined;
  }
}

async function serve(config: Config, logger: Logger): Promise<number> {
  const grpc = config.grpcPort === undefined ? "" : ` and, for gRPC, ${config.grpcPort}`;
  const runtime = await startRuntime(config, logger).catch((error: unknown) => {
    report(
      new LoadError(
        "InvalidConfiguration",
        `listening on port ${config.port}${grpc}: ${(error as Error).message}; set PORT, GRPC_PORT or HOST to a free address`,
        { cause: error },
      ),
      logger,
    );
  });
  if (runtime === undefined) return 1;

  const stopped = stopOnSignal(runtime, logger);
  const failure = runtime.ready.then(
    () => stopped,
    (error: unknown) => error,
  );
  const outcome = await Promise.race([stopped, failure]);
  if (outcome === "stopped") return 0;
  report(outcome, logger);
  return 1;
}

/** The first signal drains, a second one ends the wait. Resolves when the last request is answered. */
function stopOnSignal(runtime: Runtime, logger: Logger): Promise<"stopped"> {
  return new Promise((resolve, reject) => {
    const hurry = new AbortController();
    let signalled = false;
    const stop = (signal: NodeJS.Signals): void => {
      logger.info({ signal }, "signal received");
      if (signalled) hurry.abort();
      else runtime.stop(hurry.signal).then(() => resolve("stopped"), reject);
      signalled = true;
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}

/** Tells the log and Kubernetes why there is nothing to serve. */
function report(error: unknown, logger: Logger): void {
  const failure =
    error instanceof LoadError
      ? error
      : new LoadError("InvalidModel", `loading failed unexpectedly: ${String(error)}`, {
          permanent: false,
          cause: error,
        });
  logger.fatal(
    { reason: failure.reason, permanent: failure.permanent, ...(error instanceof LoadError ? {} : { err: error }) },
    failure.message,
  );
  const path = terminationMessagePath(environment);
  try {
    writeTerminationMessage(path, failure);
  } catch (cause) {
    logger.warn({ err: cause, path }, "the termination message could not be written; set TERMINATION_MESSAGE_PATH");
  }
}

process.exit(await main());
