import { resolve } from "node:path";
import { Command } from "commander";
import { portNumber } from "../port-number.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface ServeConfig {
  /** A folder, a graph's file, or an archive. */
  model: string;
  /** The port, when one was asked for. */
  port: number | undefined;
  host: string;
  watch: boolean;
  verbose: boolean;
  /** For the runtime, which reads what it knows of it. */
  environment: Environment;
}

/** The arguments of `npm run serve`. Ends the process for --help and for wrong ones. */
export function serveConfig(argv: readonly string[], environment: Environment = process.env): ServeConfig {
  const command = new Command("npm run serve --")
    .description("Serves one model on this machine: the runtime alone, as it runs in a pod, without a cluster.")
    .argument("<model>", "folder with model.onnx (and metadata.json, preprocessor.onnx, golden.json), or an .onnx file")
    .option("--port <port>", "where the model answers; by default 8000 or the next free one", portNumber)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option(
      "--watch",
      "load the model again when its files change; what loads takes over, else the earlier one goes on",
      false,
    )
    .option("--verbose", "show all lines of the runtime's log", false)
    .addHelpText(
      "after",
      "\nThe runtime's environment variables apply too, such as LOG_PREDICTIONS_SINK=stdout: node runtime/main.ts --help",
    )
    .parse(argv);
  const flags = command.opts<{ port?: number; host: string; watch: boolean; verbose: boolean }>();
  const [model = ""] = command.args;
  return {
    // npm runs scripts in the project's folder and says in INIT_CWD where the user is.
    model: resolve(environment["INIT_CWD"] ?? process.cwd(), model),
    port: flags.port,
    host: flags.host,
    watch: flags.watch,
    verbose: flags.verbose,
    environment,
  };
}
