import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface MachineConfig {
  /** The PATH, for the programs that pods run. */
  executablePath: string;
  /** The real Envoy, when SLIPWAY_ENVOY names one or one is on the PATH. */
  envoy: string | undefined;
  /** kubectl, when it is on the PATH. */
  kubectl: string | undefined;
}

/** What the local cluster takes from the environment. @throws when SLIPWAY_ENVOY names no executable */
export function machineConfig(environment: Readonly<Record<string, string | undefined>> = process.env): MachineConfig {
  const executablePath = environment.PATH ?? "/usr/local/bin:/usr/bin:/bin";
  const { SLIPWAY_ENVOY: envoy } = environment;
  if (envoy !== undefined && !isExecutable(envoy)) {
    throw new Error(
      `SLIPWAY_ENVOY names ${envoy}, which is no executable file: correct it, or unset it to use the local router`,
    );
  }
  return {
    executablePath,
    envoy: envoy ?? executable("envoy", executablePath),
    kubectl: executable("kubectl", executablePath),
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
