import { parseArgs } from "node:util";
import { pino } from "pino";
import { readEnvironment } from "./config.ts";
import { startRouter } from "./router.ts";

/** Takes Envoy's arguments: `-c FILE` is heeded, the rest tunes Envoy. */
const { values } = parseArgs({
  options: { "config-path": { type: "string", short: "c" } },
  strict: false,
  allowPositionals: true,
});
const logger = pino({ name: "router" }, pino.destination({ sync: true }));
const bootstrapFile = values["config-path"];

if (typeof bootstrapFile !== "string") {
  logger.fatal("no config: give the path of Envoy's bootstrap file with -c");
  process.exit(1);
}

try {
  const { host, drainMs } = readEnvironment();
  const router = await startRouter({ bootstrapFile, host, logger, random: Math.random });
  logger.info({ traffic: router.traffic, status: router.status }, "router listening");
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal, drainMs }, "stopping");
    void router.stop(drainMs).then(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
} catch (error) {
  logger.fatal({ problem: error instanceof Error ? error.message : String(error) }, "the router could not start");
  process.exit(1);
}
