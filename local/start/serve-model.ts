import type { Logger } from "pino";
import { requestHeaders } from "../ask/curl-line.ts";
import { firstExample } from "../ask/first-example.ts";
import type { MachineConfig, StartConfig } from "../config.ts";
import { UserError } from "../user-error.ts";
import { serveFolder } from "./folder-source.ts";
import { otherModels } from "./former-run.ts";
import type { InstanceLock } from "./instance-lock.ts";
import { lastWordsOf } from "./last-words.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { applyOnce } from "./manifests.ts";
import { MODEL_NAMESPACE } from "./model-deployment.ts";
import type { ModelToServe } from "./model-to-serve.ts";
import { nextCommands, type Served } from "./next-commands.ts";
import type { Output, ProgressDisplay } from "./progress-display.ts";
import { untilReady } from "./until-ready.ts";

interface Serve {
  config: StartConfig;
  machine: Pick<MachineConfig, "hasKubectl">;
  output: Output;
  interrupted: AbortSignal;
  model: ModelToServe;
  lock: InstanceLock;
  logger: Logger;
  cluster: LocalCluster;
  display: ProgressDisplay;
}

/**
 * Applies the model, shows how it comes up, and ends with how to ask it.
 * @throws UserError when it cannot be served and no former run has kept it: what is kept the user may have made so, and
 * needs the cluster to mend it
 */
export async function serveModel(serve: Serve): Promise<void> {
  const { config, machine, output, model, lock, cluster, display } = serve;
  const { name, folder } = model;
  const { created, refusal } = await apply(serve);
  const served = await comeUp(serve).catch((error: unknown) => {
    if (created || !(error instanceof UserError)) throw error;
    return error;
  });
  display.finish();
  const others = await otherModels(cluster.client, name);
  if (others.length > 0)
    output.write(`\nServed again, from before: ${others.join(", ")}. npm start -- --reset begins afresh.\n`);
  if (refusal !== undefined)
    output.write(`\n${name} stays as it was, and does not get what is in ${folder?.path} now: ${refusal}.\n`);
  const isServed = !(served instanceof UserError);
  if (!isServed) output.write(`\n${served.message}\n\nThe cluster runs, so that you can change ${name}.\n`);
  lock.announce(isServed ? served.url : cluster.url);
  output.write(
    nextCommands({
      ...model,
      served: isServed ? served : undefined,
      followed: refusal === undefined ? folder?.path : undefined,
      kubeconfig: config.kubeconfig,
      hasKubectl: machine.hasKubectl,
    }),
  );
}

/** Whether it is new, and why a former run's does not take the folder as it is now. */
async function apply({
  cluster: { client },
  model: { manifests, folder },
}: Serve): Promise<{ created: boolean; refusal?: string }> {
  if (folder === undefined) return { created: await applyOnce(client, manifests) };
  const { created, taken } = await serveFolder(client, folder);
  return { created, ...(taken.is === "refused" && { refusal: taken.why }) };
}

/** @throws UserError when it cannot be served */
async function comeUp({ config, interrupted, model, cluster, display, logger }: Serve): Promise<Served> {
  const { name, folder } = model;
  const place = { cluster, namespace: MODEL_NAMESPACE, name };
  const outcome = await untilReady({ ...place, display, logger, signal: interrupted });
  if (outcome.is === "failed") {
    const lastWords = await lastWordsOf(cluster, MODEL_NAMESPACE, name);
    const why = folder === undefined ? outcome.why : outcome.why.replaceAll(folder.snapshot.source.uri, folder.path);
    throw new UserError(`${name} cannot be served. ${why}${lastWords}`);
  }
  const address = cluster.proxy.addressOf(MODEL_NAMESPACE, name);
  if (address === undefined)
    throw new UserError(`${name} is ready, but no Service leads to it; see ${config.stateFolder}/local.log`);
  const url = `http://${address.host}:${address.port}`;
  return { url, example: await firstExample(url, requestHeaders(model.stickyHeader), interrupted) };
}
