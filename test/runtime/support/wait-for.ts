import { setTimeout as sleep } from "node:timers/promises";

/** Asks again and again until the condition holds; the test's own time limit ends a wait that is in vain. */
export async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}
