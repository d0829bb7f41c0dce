import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { aborted } from "../aborted.ts";
import type { MachineConfig } from "../config.ts";
import { freePort, requireFree } from "../free-port.ts";
import { UserError } from "../user-error.ts";
import type { ServeConfig } from "./config.ts";
import { Runtimes } from "./runtimes.ts";
import { serveEdits } from "./serve-edits.ts";
import { story } from "./story.ts";

const DEFAULT_PORT = 8000;

export interface Output {
  write(text: string): unknown;
}

/**
 * Serves a model of this machine until `interrupted`; tells on `output` where, and how to ask it.
 * @throws UserError for what the user can put right
 */
export async function serve(
  config: ServeConfig,
  machine: Pick<MachineConfig, "tiedToParent">,
  output: Output,
  interrupted: AbortSignal,
): Promise<void> {
  const { model, host } = config;
  if (!existsSync(model)) throw new UserError(`There is no ${model}: give a folder that holds a model.onnx.`);
  if (config.port !== undefined) await requireFree(config.port, host);
  const port = config.port ?? (await freePort(DEFAULT_PORT, host));
  const scratch = await mkdtemp(join(tmpdir(), "slipway-serve-"));
  const runtimes = new Runtimes({ config, launcher: machine.tiedToParent, output, scratch });
  const session = { config, output, interrupted, runtimes, port };
  try {
    if (config.watch) await serveEdits({ ...session, snapshots: join(scratch, "models") });
    else await serveOnce(session);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    if (interrupted.aborted) output.write("\nStopping …\n");
    await runtimes.stopAll();
    await rm(scratch, { recursive: true, force: true });
  }
}

export interface Session {
  readonly config: ServeConfig;
  readonly output: Output;
  readonly interrupted: AbortSignal;
  readonly runtimes: Runtimes;
  readonly port: number;
}

/** The runtime itself listens on the port. */
async function serveOnce({ config, output, interrupted, runtimes, port }: Session): Promise<void> {
  const { model, host } = config;
  const runtime = runtimes.start(model, { HOST: host, PORT: String(port) });
  const interruption = aborted(interrupted);
  await Promise.race([runtime.ready, interruption]);
  interrupted.throwIfAborted();
  output.write(await story({ host, port, watched: undefined }, interrupted));
  const why = await Promise.race([runtime.ended, interruption]);
  if (typeof why === "string") throw new UserError(`${model} is served no more: ${why}`);
}
