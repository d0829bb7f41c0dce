import { machineConfig } from "../config.ts";
import { runCommand } from "../run-command.ts";
import { serveConfig } from "./config.ts";
import { serve } from "./serve.ts";

const config = serveConfig(process.argv);
await runCommand((interrupted) => serve(config, machineConfig(), process.stdout, interrupted));
