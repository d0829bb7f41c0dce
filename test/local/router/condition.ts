import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 20;

/** Waits until the condition holds; fails after `withinMs` with what it was waiting for. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await sleep(EVERY_MS);
  }
}
