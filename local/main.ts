import { machineConfig, startConfig } from "./config.ts";
import { runCommand } from "./run-command.ts";
import { start } from "./start/start.ts";

const config = startConfig(process.argv);
await runCommand((interrupted) => start(config, machineConfig(), process.stdout, interrupted));
