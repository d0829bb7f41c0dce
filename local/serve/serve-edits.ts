import { follow, type Edit } from "../model-folder/follow.ts";
import { Snapshots } from "../model-folder/snapshots.ts";
import { UserError } from "../user-error.ts";
import { Front } from "./front.ts";
import type { RuntimeProcess } from "./runtime-process.ts";
import type { Session } from "./serve.ts";
import { modelAt, story } from "./story.ts";

/** Runtimes come and go behind the port. The next one must serve before the former one goes. */
export async function serveEdits(session: Session & { readonly snapshots: string }): Promise<void> {
  const { config, output, interrupted, snapshots, port } = session;
  const { model, host } = config;
  const front = await Front.listen(port, host);
  const failure = new AbortController();
  const signal = AbortSignal.any([interrupted, failure.signal]);
  const copies = new Snapshots(snapshots);
  let serving: RuntimeProcess | undefined;
  try {
    for await (const edit of follow({ model, snapshots: copies, signal })) {
      const next = await load(edit, session).catch((error: unknown) => {
        if (!(error instanceof UserError) || serving === undefined) throw error;
        output.write(`\n${time()}  This edit is not served, the model before it goes on.\n  ${error.message}\n`);
      });
      await copies.forgetOld(() => false); // what serves has loaded its own
      if (next === undefined) continue;
      const former = serving;
      serving = next.runtime;
      const last = front.moveTo(next.port);
      const onEnd = (why: string): void => {
        if (serving === next.runtime) failure.abort(new UserError(`${model} is served no more: ${why}`));
      };
      void next.runtime.ended.then(onEnd);
      if (former === undefined) {
        output.write(await story({ host, port, watched: model }, signal));
      } else {
        output.write(`\n${time()}  The edit is served.\n${await modelAt({ host, port }, signal)}`);
        void last.then(() => former.stop());
      }
    }
    if (failure.signal.aborted) throw failure.signal.reason;
  } finally {
    serving = undefined; // from here on its end is what is wanted
    await front.close();
  }
}

/** A runtime that serves what the edit made. @throws UserError when none can, and when interrupted */
async function load(
  edit: Edit,
  { config, runtimes, interrupted }: Session,
): Promise<{ runtime: RuntimeProcess; port: number }> {
  if (edit.is === "unreadable") throw new UserError(`It cannot be read: ${edit.why}`);
  const { path } = edit.snapshot;
  const runtime = runtimes.start(path, { HOST: "127.0.0.1", PORT: "0", GRPC_PORT: undefined });
  const interruption = Promise.withResolvers<never>();
  const onAbort = (): void => interruption.reject(new UserError("interrupted while the model loaded"));
  if (interrupted.aborted) onAbort();
  interrupted.addEventListener("abort", onAbort, { once: true });
  try {
    return { runtime, port: await Promise.race([runtime.ready, interruption.promise]) };
  } catch (error) {
    throw new UserError((error as Error).message.replaceAll(path, config.model), { cause: error });
  } finally {
    interrupted.removeEventListener("abort", onAbort);
  }
}

const time = (): string => new Date().toTimeString().slice(0, 8);
