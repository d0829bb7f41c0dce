import { machineConfig } from "../config.ts";
import { UserError } from "../user-error.ts";
import { serveConfig } from "./config.ts";
import { serve } from "./serve.ts";

const config = serveConfig(process.argv);
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.abort());
}

try {
  await serve(config, machineConfig(), process.stdout, interruption.signal);
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}
