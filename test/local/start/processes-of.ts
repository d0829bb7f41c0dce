import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processIdentity } from "../../../local/process-identity.ts";

/** The processes that the state folder says are running. */
export function processesOf(folder: string): number[] {
  return ["processes.json", "kubelet/processes.json"]
    .map((file) => join(folder, file))
    .filter((file) => existsSync(file))
    .flatMap((file) => JSON.parse(readFileSync(file, "utf8")) as { pid: number; identity: string }[])
    .filter(({ pid, identity }) => processIdentity(pid) === identity)
    .map(({ pid }) => pid);
}
