import { setTimeout as sleep } from "node:timers/promises";
import type { Container } from "../cluster/objects.ts";
import { ask } from "./probe.ts";

interface HookSurroundings {
  address: string;
  longestPreStopSeconds: number;
  event: (type: "Warning", reason: string, message: string) => void;
}

/** Runs a container's preStop to its end or to the end of the grace period. Its failure is an event: the container stops anyway. */
export async function runPreStop(container: Container, around: HookSurroundings, deadline: AbortSignal): Promise<void> {
  const hook = container.lifecycle?.preStop;
  if (hook === undefined) return;
  if (hook.sleep !== undefined) {
    const seconds = Math.min(hook.sleep.seconds, around.longestPreStopSeconds);
    await sleep(seconds * 1000, undefined, { signal: deadline }).catch(() => {}); // cut short: SIGKILL follows
  } else if (hook.httpGet !== undefined) {
    const result = await ask({ httpGet: hook.httpGet, timeoutSeconds: 30 }, { address: around.address, container });
    if (!result.passed) around.event("Warning", "FailedPreStopHook", `PreStopHook failed: ${result.because}`);
  } else {
    around.event("Warning", "FailedPreStopHook", "the local kubelet knows preStop sleep and httpGet only");
  }
}
