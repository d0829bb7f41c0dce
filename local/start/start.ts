import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { destination, pino, type Logger } from "pino";
import { StateFileError } from "../api-server/storage/state-file.ts";
import { aborted } from "../aborted.ts";
import type { MachineConfig, StartConfig } from "../config.ts";
import { requireFree } from "../free-port.ts";
import { ProcessLedger } from "../kubelet/process-ledger.ts";
import { follow } from "../model-folder/follow.ts";
import { nameOfFolder } from "../model-folder/name.ts";
import { Snapshots } from "../model-folder/snapshots.ts";
import { UserError } from "../user-error.ts";
import { followEdits } from "./follow-edits.ts";
import { InstanceLock } from "./instance-lock.ts";
import { startLocalCluster, STATE_FILE, type LocalCluster } from "./local-cluster.ts";
import { applyManifest, readManifests } from "./manifests.ts";
import { MODEL_NAMESPACE } from "./model-deployment.ts";
import { loanExample, ownModel, type ModelToServe } from "./model-to-serve.ts";
import { OperatorProcess } from "./operator-process.ts";
import { ProgressDisplay, type Output } from "./progress-display.ts";
import { serveModel } from "./serve-model.ts";

const DEFAULT_PORT = 8080;
const CLOSE_WITHIN_MS = 10_000;

/**
 * Runs the whole system until `interrupted`: the cluster, the operator, a model; tells on `output` how it goes.
 * @throws UserError for what the user can put right
 */
export async function start(
  config: StartConfig,
  machine: MachineConfig,
  output: Output,
  interrupted: AbortSignal,
): Promise<void> {
  const { stateFolder } = config;
  if (config.model !== undefined && !existsSync(config.model))
    throw new UserError(`There is no ${config.model}: give a folder that holds a model.onnx.`);
  const lock = InstanceLock.acquire(join(stateFolder, "instance.json"));
  try {
    if (config.port !== undefined) await requireFree(config.port, "127.0.0.1");
    if (config.reset) forgetFormerRuns(config);
    const logger = pino(destination({ dest: join(stateFolder, "local.log"), append: false, sync: true }));
    const ledger = new ProcessLedger(join(stateFolder, "processes.json"));
    ledger.killLeftovers(logger);
    await serveUntil(interrupted, { config, machine, output, lock, logger, ledger });
  } catch (error) {
    throw error instanceof StateFileError ? new UserError(error.message) : error;
  } finally {
    lock.release();
  }
}

/** However it ends, the user's folder is then no longer watched: that would keep this process alive. */
async function serveUntil(interrupted: AbortSignal, system: Omit<System, "model" | "interrupted">): Promise<void> {
  const ending = new AbortController();
  const model = await modelToServe(system.config, AbortSignal.any([interrupted, ending.signal]));
  try {
    if (model !== undefined) await runSystem({ ...system, interrupted, model });
  } finally {
    ending.abort();
    await model?.folder?.edits.return(undefined);
  }
}

/** All but the lists of processes: what a killed run left must still be found and ended. */
function forgetFormerRuns({ stateFolder, kubeconfig }: StartConfig): void {
  const state = ["", "-wal", "-shm"].map((suffix) => `${STATE_FILE}${suffix}`);
  const left = [...state, "models", "kubelet/pods", "local.log", "operator.log"].map((name) => join(stateFolder, name));
  for (const path of [...left, kubeconfig]) rmSync(path, { recursive: true, force: true });
}

/** The loan example, or the user's own folder, whose edits are then followed; undefined when that is interrupted. */
async function modelToServe(
  { model, stateFolder, projectFolder }: StartConfig,
  signal: AbortSignal,
): Promise<ModelToServe | undefined> {
  if (model === undefined) return loanExample(projectFolder);
  const snapshots = new Snapshots(join(stateFolder, "models", nameOfFolder(model)));
  const edits = follow({ model, snapshots, signal });
  const { value: first } = await edits.next();
  if (first === undefined) return undefined;
  if (first.is === "unreadable") {
    await edits.return(undefined);
    throw new UserError(`${model} cannot be served: ${first.why}`);
  }
  return ownModel({ path: model, snapshots, snapshot: first.snapshot, edits });
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
    config.port === undefined ? undefined : { service: `${MODEL_NAMESPACE}/${system.model.name}`, port: config.port };
  const cluster = await startLocalCluster({ machine, stateFolder, kubeconfig, firstPort: DEFAULT_PORT, asked, logger });
  let operator: OperatorProcess | undefined;
  try {
    for (const crd of readManifests(join(projectFolder, "crds"))) await applyManifest(cluster.client, crd);
    const logFile = join(stateFolder, "operator.log");
    const { programEnvironment, tiedToParent: launcher } = machine;
    operator = OperatorProcess.start({ projectFolder, kubeconfig, logFile, programEnvironment, launcher, ledger });
    const operatorEnded = operator.ended.then((how) => {
      if (interrupted.aborted) return;
      throw new UserError(`The operator ended (${how}); its log is ${logFile}`);
    });
    await Promise.race([operatorEnded, serveModel({ ...system, cluster, display })]);
    const { folder } = system.model;
    const tell = (text: string) => void output.write(`\n${new Date().toTimeString().slice(0, 8)}  ${text}\n`);
    const edits = folder && followEdits({ folder, cluster, logger, tell, signal: interrupted });
    await Promise.race([operatorEnded, edits ?? aborted(interrupted)]);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    display.finish();
    if (interrupted.aborted) output.write("\nStopping …\n");
    await closeWithin(cluster, operator, ledger);
  }
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
