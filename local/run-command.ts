import { UserError } from "./user-error.ts";

/** Runs a command of this machine until it is done or a signal interrupts it; what goes wrong is told and fails the process. */
export async function runCommand(command: (interrupted: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interruption.abort());
  try {
    await command(interruption.signal);
  } catch (error) {
    console.error(error instanceof UserError ? error.message : error);
    process.exitCode = 1;
  }
}
