import { machineConfig, startConfig } from "./config.ts";
import { start } from "./start/start.ts";
import { UserError } from "./user-error.ts";

const config = startConfig(process.argv);
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.abort());
}

try {
  await start(config, machineConfig(), process.stdout, interruption.signal);
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}
