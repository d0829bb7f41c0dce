/** The router's environment, read once. */
export interface RouterEnvironment {
  /** Listen here instead of where the bootstrap says: each local pod has an address of its own. */
  readonly host: string | undefined;
  /** Between SIGTERM and the closing of the listeners. */
  readonly drainMs: number;
}

export function readEnvironment(env: NodeJS.ProcessEnv = process.env): RouterEnvironment {
  const drainSeconds = Number(env["DRAIN_SECONDS"] ?? 0);
  if (!Number.isFinite(drainSeconds) || drainSeconds < 0) {
    throw new Error(`DRAIN_SECONDS is ${env["DRAIN_SECONDS"]}: it must be a number of seconds, 0 or more`);
  }
  return { host: env["HOST"] || undefined, drainMs: drainSeconds * 1000 };
}
