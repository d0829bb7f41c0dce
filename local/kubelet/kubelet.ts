import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import type { ClusterClient } from "../cluster/client.ts";
import { isReady } from "../cluster/endpoints.ts";
import type { Change } from "../cluster/mirror.ts";
import type { KubeObject, Pod } from "../cluster/objects.ts";
import type { ClusterView } from "../cluster/view.ts";
import type { ProgramEnvironment } from "../config.ts";
import type { LogRequest } from "./container-log.ts";
import { EventRecorder } from "./event-recorder.ts";
import { LogServer } from "./log-server.ts";
import { NodeRegistration, type NodeDescription } from "./node-registration.ts";
import { checkPodAddresses, PodAddresses } from "./pod-addresses.ts";
import { PodWorker, type NodeSurroundings } from "./pod-worker.ts";
import { ProcessLedger } from "./process-ledger.ts";
import type { Program } from "./programs.ts";

const CRASH_BACKOFF_MS = 10_000;
/** When the kubelet itself ends, its containers get this long, whatever grace their pods ask for. */
const SHUTDOWN_GRACE_MS = 6_000;

interface KubeletOptions {
  client: ClusterClient;
  /** Started by the caller, who may share it. */
  view: ClusterView;
  /** For pods' files, logs and the list of processes; belongs to one kubelet alone. */
  folder: string;
  programs: readonly Program[];
  /** All that containers inherit. */
  programEnvironment: ProgramEnvironment;
  /** Put before every program, such as to tie it to this process. */
  launcher?: readonly string[];
  /** Caps preStop's sleep: one machine has no DNS cache or load balancer to outlast. */
  longestPreStopSeconds?: number;
  nodeName: string;
  capacity?: NodeDescription["capacity"];
  crashBackoffMs?: number;
  logger: Logger;
  now?: () => number;
}

/** Asked for the log of what does not run here, or has not run before. */
class NoSuchLogError extends Error {
  override readonly name = "NoSuchLogError";
}

/** A node whose containers are processes of this machine. It works with any API server. */
export class Kubelet {
  private readonly options: KubeletOptions;
  private readonly surroundings: NodeSurroundings;
  private readonly addresses: PodAddresses;
  private readonly registration: NodeRegistration;
  private readonly logServer: LogServer;
  private readonly workers = new Map<string, PodWorker>();
  private readonly ending = new Set<Promise<void>>();
  private refreshPlanned = false;
  private closed = false;

  private constructor(options: KubeletOptions, logServer: LogServer) {
    const { client, view, folder, programs, programEnvironment, nodeName, logger, now = Date.now } = options;
    this.options = options;
    this.logServer = logServer;
    this.addresses = new PodAddresses(logServer.network);
    const node = { name: nodeName, address: logServer.address, logPort: logServer.port };
    const capacity = options.capacity === undefined ? {} : { capacity: options.capacity };
    this.registration = new NodeRegistration(client, { ...node, ...capacity }, logger, now);
    this.surroundings = {
      client,
      view,
      events: new EventRecorder(client, nodeName, logger, now),
      ledger: new ProcessLedger(join(folder, "processes.json")),
      programs,
      hostAddress: logServer.address,
      programEnvironment,
      launcher: options.launcher ?? [],
      longestPreStopSeconds: options.longestPreStopSeconds ?? Infinity,
      podsFolder: join(folder, "pods"),
      crashBackoffMs: options.crashBackoffMs ?? CRASH_BACKOFF_MS,
      logger,
      now,
    };
  }

  /** Ends what a killed run left behind, registers the node and begins to run the pods that are bound to it. */
  static async start(options: KubeletOptions): Promise<Kubelet> {
    mkdirSync(options.folder, { recursive: true });
    const logServer = await LogServer.start((request, signal) => kubelet.readLog(request, signal));
    const kubelet: Kubelet = new Kubelet(options, logServer);
    try {
      await kubelet.begin();
      return kubelet;
    } catch (error) {
      await kubelet.close();
      throw error;
    }
  }

  /** The lines of a container's log. @throws NoSuchLogError */
  readLog(request: LogRequest, signal: AbortSignal): AsyncGenerator<string> {
    const { namespace, pod, container, previous = false } = request;
    const uid = this.options.view.pods.get(namespace, pod)?.metadata.uid ?? "";
    const runner = this.workers.get(uid)?.container(container);
    if (runner === undefined)
      throw new NoSuchLogError(`pod ${namespace}/${pod} has no container ${container ?? ""} on this node`);
    const log = runner.logOf(previous ? "previous" : "current");
    if (log === undefined) {
      const which = previous ? "previous terminated container" : "container";
      throw new NoSuchLogError(`${which} "${runner.container.name}" in pod "${pod}" not found, or it has not run yet`);
    }
    return log.read(request, signal);
  }

  /** Ends all containers in order. With `removeNode`, the Node object goes too. */
  async close({ removeNode = false } = {}): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const workers = [...this.workers.values()];
    await Promise.all(workers.map((worker) => worker.hurry(SHUTDOWN_GRACE_MS)));
    await Promise.all(workers.map((worker) => worker.close()));
    await Promise.all(this.ending);
    await this.registration.close();
    if (removeNode) await this.registration.remove();
    await this.surroundings.events.flush();
    await this.logServer.close();
  }

  /** The last resort: SIGKILL to every process that this kubelet started. */
  kill(): void {
    this.surroundings.ledger.killAll();
  }

  private async begin(): Promise<void> {
    const { ledger, podsFolder, view, logger } = { ...this.surroundings, ...this.options };
    ledger.killLeftovers(logger);
    rmSync(podsFolder, { recursive: true, force: true });
    await checkPodAddresses(this.logServer.network);
    await this.registration.register();
    const refresh = (change: Change<KubeObject>) => change.type === "deleted" || this.planRefresh();
    view.configMaps.subscribe(refresh);
    view.secrets.subscribe(refresh);
    view.services.subscribe(() => this.planRefresh());
    view.pods.subscribe((change) => this.podChanged(change));
    // First those that had an address: they get it again before another takes it.
    const pods = view.pods.list().toSorted((a, b) => Number(hasAddress(b)) - Number(hasAddress(a)));
    for (const pod of pods) this.podChanged({ type: "added", object: pod });
  }

  private podChanged({ type, object: pod, previous }: Change<Pod>): void {
    if (this.closed) return;
    if (type !== "modified" || previous === undefined || isOtherEndpoint(pod, previous)) this.planRefresh();
    if (pod.spec.nodeName !== this.options.nodeName) return;
    const { uid, deletionTimestamp } = pod.metadata;
    const worker = this.workers.get(uid);
    if (type === "deleted") {
      if (worker !== undefined) this.background(this.forget(uid, worker));
    } else if (worker !== undefined) {
      worker.update(pod);
      if (deletionTimestamp !== undefined) this.background(worker.terminate());
    } else if (deletionTimestamp !== undefined || !hasFinished(pod)) {
      this.run(pod);
    }
  }

  private run(pod: Pod): void {
    const worker = new PodWorker(pod, this.addresses.take(pod.status?.podIP), this.surroundings);
    this.workers.set(pod.metadata.uid, worker);
    if (pod.metadata.deletionTimestamp !== undefined) this.background(worker.terminate());
  }

  private async forget(uid: string, worker: PodWorker): Promise<void> {
    this.workers.delete(uid);
    await worker.kill();
    await worker.close();
    this.addresses.free(worker.address);
  }

  private background(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.options.logger.error({ err: error }, "ending a pod failed"))
      .finally(() => this.ending.delete(tracked));
    this.ending.add(tracked);
  }

  /** Volumes and router configs follow the cluster: once for all changes of this turn. */
  private planRefresh(): void {
    if (this.refreshPlanned) return;
    this.refreshPlanned = true;
    setImmediate(() => {
      this.refreshPlanned = false;
      if (!this.closed) for (const worker of this.workers.values()) worker.refresh();
    });
  }
}

function hasAddress({ status }: Pod): boolean {
  return status?.podIP !== undefined;
}

function hasFinished({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

function isOtherEndpoint(a: Pod, b: Pod): boolean {
  return (
    isReady(a) !== isReady(b) ||
    a.status?.podIP !== b.status?.podIP ||
    a.metadata.deletionTimestamp !== b.metadata.deletionTimestamp ||
    JSON.stringify(a.metadata.labels) !== JSON.stringify(b.metadata.labels)
  );
}
