import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { portNumber } from "./port-number.ts";
import { UserError } from "./user-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface MachineConfig {
  /** What programs get of the machine's own environment: its PATH, and where Node keeps compiled code if that was said. */
  programEnvironment: ProgramEnvironment;
  /** The real Envoy, when SLIPWAY_ENVOY names one or one is on the PATH. */
  envoy: string | undefined;
  /**
   * A command before which a program ends when the process that started it does, however that ends: Linux has one.
   * Empty elsewhere; there the next start ends what a killed one left.
   */
  tiedToParent: readonly string[];
  /** True when kubectl is on the PATH. */
  hasKubectl: boolean;
}

export type ProgramEnvironment = Readonly<Record<"PATH", string> & Partial<Record<"NODE_COMPILE_CACHE", string>>>;

/** What the local cluster takes from the machine. @throws UserError when SLIPWAY_ENVOY names no executable */
export function machineConfig(environment: Environment = process.env): MachineConfig {
  const executablePath = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  const compileCache = environment["NODE_COMPILE_CACHE"];
  const envoy = environment["SLIPWAY_ENVOY"];
  if (envoy !== undefined && !isExecutable(envoy)) {
    throw new UserError(
      `SLIPWAY_ENVOY names ${envoy}, which is no executable file: correct it, or unset it to use the local router`,
    );
  }
  const setpriv = process.platform === "linux" ? executable("setpriv", executablePath) : undefined;
  return {
    programEnvironment: { PATH: executablePath, ...(compileCache && { NODE_COMPILE_CACHE: compileCache }) },
    envoy: envoy ?? executable("envoy", executablePath),
    tiedToParent: setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL", "--"],
    hasKubectl: executable("kubectl", executablePath) !== undefined,
  };
}

export interface StartConfig {
  projectFolder: string;
  /** A model folder or file of the user's own; the loan example when undefined. */
  model: string | undefined;
  /** The port of the model, when one was asked for. */
  port: number | undefined;
  /** The cluster's objects, kubeconfig, logs, pods' files and the lock. */
  stateFolder: string;
  kubeconfig: string;
  reset: boolean;
}

/** The arguments of `npm start`. Ends the process for --help and for wrong ones. */
export function startConfig(argv: readonly string[], environment: Environment = process.env): StartConfig {
  const projectFolder = fileURLToPath(new URL("..", import.meta.url));
  const command = new Command("npm start --")
    .description(
      "Runs a cluster on this machine, the operator in it, and serves a model: the loan example, or your own folder.",
    )
    .argument("[model]", "folder with model.onnx (and metadata.json, preprocessor.onnx), or an .onnx file")
    .option("--port <port>", "where the model answers; by default 8080 or the next free one", portNumber)
    .option("--kubeconfig-path <file>", "where to write the kubeconfig; by default .slipway/kubeconfig")
    .option(
      "--state <folder>",
      "for the cluster's objects, logs, pods' files and the kubeconfig",
      join(projectFolder, ".slipway"),
    )
    .option(
      "--reset",
      "begin afresh: first remove what former runs left in the state folder, the cluster's objects too",
      false,
    )
    .parse(argv);
  const flags = command.opts<{ port?: number; kubeconfigPath?: string; state: string; reset: boolean }>();
  // npm runs scripts in the project's folder and says in INIT_CWD where the user is.
  const from = (path: string): string => resolve(environment["INIT_CWD"] ?? process.cwd(), path);
  const [model] = command.args;
  const stateFolder = from(flags.state);
  return {
    projectFolder,
    model: model === undefined ? undefined : from(model),
    port: flags.port,
    stateFolder,
    kubeconfig: flags.kubeconfigPath === undefined ? join(stateFolder, "kubeconfig") : from(flags.kubeconfigPath),
    reset: flags.reset,
  };
}

function executable(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // not there, or not ours to run
  }
}
