import { fileURLToPath } from "node:url";

/** The program that stands for an image on a machine without containers. */
export interface Program {
  /** Last segment of the image's repository. */
  image: string;
  /** The executable and the arguments that come before the container's own. */
  command: readonly [string, ...string[]];
}

/** What a container runs, with the arguments that are its own; or a sentence on why it cannot run here. */
type ProgramChoice = { command: readonly [string, ...string[]]; args: string[] } | { problem: string };

/**
 * `command` of a container replaces an image's entrypoint; here the entrypoint is fixed, so only what follows its first
 * word is passed on. A leading argument that merely names the program (`envoy -c …`) is dropped, as images' entrypoints do.
 */
export function chooseProgram(
  programs: readonly Program[],
  container: { image?: string; command?: string[]; args?: string[] },
): ProgramChoice {
  const image = container.image ?? "";
  const program = programs.find((candidate) => candidate.image === imageName(image));
  if (program === undefined) {
    const known = programs.map((candidate) => candidate.image).join(", ");
    return { problem: `the local kubelet runs only the images ${known}, as processes of this machine; not "${image}"` };
  }
  const [first, ...rest] = container.args ?? [];
  const args = first === undefined || first === program.image ? rest : [first, ...rest];
  return { command: program.command, args: [...(container.command ?? []).slice(1), ...args] };
}

/** `registry:5000/team/slipway-runtime:1.2@sha256:…` -> `slipway-runtime` */
export function imageName(reference: string): string {
  const [withoutDigest = ""] = reference.split("@");
  const lastSegment = withoutDigest.slice(withoutDigest.lastIndexOf("/") + 1);
  return lastSegment.split(":")[0] ?? "";
}

/** @throws when the text is no program */
export function parseProgram(json: string): Program {
  const { image, command } = JSON.parse(json) as { image?: unknown; command?: unknown };
  const [file, ...rest] = Array.isArray(command) ? command.filter((word) => typeof word === "string") : [];
  if (typeof image === "string" && file !== undefined) return { image, command: [file, ...rest] };
  throw new TypeError(`${json} is no program: expected {"image": NAME, "command": [FILE, ARGUMENT…]}`);
}

/** The images of a ModelDeployment: Slipway's runtime and its router. Without an Envoy on the machine the local router stands in. */
export function slipwayPrograms(envoy: string | undefined): Program[] {
  const script = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
  return [
    { image: "slipway-runtime", command: [process.execPath, script("runtime/main.ts")] },
    { image: "envoy", command: envoy === undefined ? [process.execPath, script("local/router/main.ts")] : [envoy] },
  ];
}
