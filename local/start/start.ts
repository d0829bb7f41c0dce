import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { destination, pino, type Logger } from "pino";
import { StateFileError } from "../api-server/storage/state-file.ts";
import type { MachineConfig, StartConfig } from "../config.ts";
import { ProcessLedger } from "../kubelet/process-ledger.ts";
import { firstAnswer, rowFromModel } from "./ask-model.ts";
import { otherModels } from "./former-run.ts";
import { InstanceLock } from "./instance-lock.ts";
import { startLocalCluster, STATE_FILE, type LocalCluster } from "./local-cluster.ts";
import { applyManifest, applyOnce, readManifests } from "./manifests.ts";
import { loanExample, ownModel, type ModelToServe } from "./model-to-serve.ts";
import { lastWordsOf } from "./last-words.ts";
import { nextCommands, requestHeaders } from "./next-commands.ts";
import { OperatorProcess } from "./operator-process.ts";
import { ProgressDisplay, type Output } from "./progress-display.ts";
import { untilReady } from "./until-ready.ts";

const DEFAULT_PORT = 8080;
const CLOSE_WITHIN_MS = 10_000;
const NAMESPACE = "default";

/** Something that the user can put right; the message is all that is shown. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Runs the whole system until `interrupted`: the cluster, the operator, a model; tells on `output` how it goes.
 * @throws StartError, AlreadyRunningError, NoModelError for what the user can put right
 */
export async function start(
  config: StartConfig,
  machine: MachineConfig,
  output: Output,
  interrupted: AbortSignal,
): Promise<void> {
  const { stateFolder, projectFolder } = config;
  const model = config.model === undefined ? loanExample(projectFolder) : ownModel(config.model);
  const lock = InstanceLock.acquire(join(stateFolder, "instance.json"));
  try {
    if (config.port !== undefined) await checkPort(config.port);
    if (config.reset) forgetFormerRuns(config);
    const logger = pino(destination({ dest: join(stateFolder, "local.log"), append: false, sync: true }));
    const ledger = new ProcessLedger(join(stateFolder, "processes.json"));
    ledger.killLeftovers(logger);
    await runSystem({ config, machine, output, interrupted, model, lock, logger, ledger });
  } catch (error) {
    throw error instanceof StateFileError ? new StartError(error.message) : error;
  } finally {
    lock.release();
  }
}

/** All but the lists of processes: what a killed run left must still be found and ended. */
function forgetFormerRuns({ stateFolder, kubeconfig }: StartConfig): void {
  const state = ["", "-wal", "-shm"].map((suffix) => `${STATE_FILE}${suffix}`);
  const left = [...state, "kubelet/pods", "local.log", "operator.log"].map((name) => join(stateFolder, name));
  for (const path of [...left, kubeconfig]) rmSync(path, { recursive: true, force: true });
}

interface System {
  config: StartConfig;
  machine: MachineConfig;
  output: Output;
  interrupted: AbortSignal;
  model: ModelToServe;
  lock: InstanceLock;
  logger: Logger;
  ledger: ProcessLedger;
}

async function runSystem(system: System): Promise<void> {
  const { config, machine, output, interrupted, logger, ledger } = system;
  const { stateFolder, projectFolder, kubeconfig } = config;
  const display = new ProgressDisplay(output);
  display.show([{ mark: "waiting", name: "cluster", detail: "starting API server, controllers and kubelet" }]);
  const asked =
    config.port === undefined ? undefined : { service: `${NAMESPACE}/${system.model.name}`, port: config.port };
  const cluster = await startLocalCluster({ machine, stateFolder, kubeconfig, firstPort: DEFAULT_PORT, asked, logger });
  let operator: OperatorProcess | undefined;
  try {
    for (const crd of readManifests(join(projectFolder, "crds"))) await applyManifest(cluster.client, crd);
    const logFile = join(stateFolder, "operator.log");
    const { executablePath, tiedToParent: launcher } = machine;
    operator = OperatorProcess.start({ projectFolder, kubeconfig, logFile, executablePath, launcher, ledger });
    const operatorEnded = operator.ended.then((how) => {
      if (interrupted.aborted) return;
      throw new StartError(`The operator ended (${how}); its log is ${logFile}`);
    });
    await Promise.race([operatorEnded, serve(system, cluster, display)]);
    await Promise.race([operatorEnded, aborted(interrupted)]);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    display.finish();
    if (interrupted.aborted) output.write("\nStopping …\n");
    await closeWithin(cluster, operator, ledger);
  }
}

/** Applies the model, shows how it comes up, and ends with how to ask it. */
async function serve(
  { config, machine, output, interrupted, model, lock, logger }: System,
  cluster: LocalCluster,
  display: ProgressDisplay,
): Promise<void> {
  if (config.model === undefined) await applyOnce(cluster.client, model.manifests);
  else for (const manifest of model.manifests) await applyManifest(cluster.client, manifest);
  const outcome = await untilReady({
    cluster,
    namespace: NAMESPACE,
    name: model.name,
    display,
    logger,
    signal: interrupted,
  });
  if (outcome.is === "failed") {
    const lastWords = await lastWordsOf(cluster, NAMESPACE, model.name);
    throw new StartError(`${model.name} cannot be served. ${outcome.why}${lastWords}`);
  }
  const address = cluster.proxy.addressOf(NAMESPACE, model.name);
  if (address === undefined)
    throw new StartError(`${model.name} is ready, but no Service leads to it; see ${config.stateFolder}/local.log`);
  const url = `http://${address.host}:${address.port}`;
  const row = model.row ?? (await rowFromModel(url, interrupted));
  const answer = await firstAnswer({ url, row, headers: requestHeaders(model.stickyHeader) }, interrupted);
  lock.announce(url);
  display.finish();
  const others = await otherModels(cluster.client, model.name);
  if (others.length > 0)
    output.write(`\nServed again, from before: ${others.join(", ")}. npm start -- --reset begins afresh.\n`);
  const { kubeconfig } = config;
  output.write(nextCommands({ ...model, url, row, answer, kubeconfig, hasKubectl: machine.hasKubectl }));
}

async function closeWithin(
  cluster: LocalCluster,
  operator: OperatorProcess | undefined,
  ledger: ProcessLedger,
): Promise<void> {
  const deadline = setTimeout(() => {
    cluster.kill();
    ledger.killAll();
  }, CLOSE_WITHIN_MS);
  try {
    await operator?.stop();
    await cluster.close();
  } finally {
    clearTimeout(deadline);
  }
}

async function checkPort(port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "is in use" : `cannot be used (${message})`;
    throw new StartError(`Port ${port} ${why}: give another with --port, or none and the next free one is taken.`);
  } finally {
    server.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
