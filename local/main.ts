import { machineConfig, startConfig } from "./config.ts";
import { AlreadyRunningError } from "./start/instance-lock.ts";
import { NoModelError } from "./start/model-to-serve.ts";
import { start, StartError } from "./start/start.ts";

const config = startConfig(process.argv);
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.abort());
}

try {
  await start(config, machineConfig(), process.stdout, interruption.signal);
} catch (error) {
  const isForTheUser =
    error instanceof StartError || error instanceof AlreadyRunningError || error instanceof NoModelError;
  console.error(isForTheUser ? error.message : error);
  process.exitCode = 1;
}
