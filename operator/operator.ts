import { randomBytes } from "node:crypto";
import type { KubeConfig } from "@kubernetes/client-node";
import type { OperatorConfig } from "./config.ts";
import type { Clock } from "./kube/clock.ts";
import { Controller } from "./kube/controller.ts";
import { EventRecorder } from "./kube/events.ts";
import { LeaderElector } from "./kube/leader-election.ts";
import type { Log } from "./kube/log.ts";
import { KubeTransport } from "./kube/transport.ts";
import { WorkQueue } from "./kube/work-queue.ts";
import { DomainMetrics } from "./observability/domain-metrics.ts";
import { startHealthServer } from "./observability/health-server.ts";
import type { LogArea } from "./observability/log-levels.ts";
import { createMetrics } from "./observability/metrics.ts";
import { AliasWatcher } from "./mlflow/alias-watcher.ts";
import { HostPolicy } from "./mlflow/host-policy.ts";
import { MlflowRegistry } from "./mlflow/registry.ts";
import { startProfiler } from "./observability/profiler.ts";
import { Cluster } from "./reconcile/cluster.ts";
import { readLoadedModel } from "./reconcile/loaded-model-reader.ts";
import { LoadedModels } from "./reconcile/loaded-models.ts";
import { PodComplaints } from "./reconcile/pod-complaints.ts";
import { Reconciler } from "./reconcile/reconciler.ts";
import { readRouters } from "./reconcile/router-reader.ts";
import { World } from "./reconcile/world.ts";

export interface OperatorDependencies {
  readonly kubeConfig: KubeConfig;
  readonly config: OperatorConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** What an area logs goes to its own, and to `log` where it has none. */
  readonly areaLogs?: Readonly<Partial<Record<LogArea, Log>>>;
  /** Another replica may lead now: the process must end without another write. */
  readonly onLeadershipLost: (reason: string) => void;
}

export interface Operator {
  readonly healthPort: number;
  readonly metricsPort: number;
  /** Ends the reconciles under way, then hands the lease over. */
  stop(): Promise<void>;
}

const NAME = "modeldeployment";
const LEASE = "slipway-operator";
/** A net under the watches: every object is looked at again this often. */
const RESYNC_MS = 10 * 60_000;

/** Wires everything together. Resolves once health is served; caches sync and the lease is won in the background. */
export async function startOperator(dependencies: OperatorDependencies): Promise<Operator> {
  const { kubeConfig, config, clock, log, areaLogs = {} } = dependencies;
  const { kube = log, reconcile = log } = areaLogs;
  const metrics = createMetrics();
  const connect = (): KubeTransport =>
    new KubeTransport(kubeConfig, { userAgent: "slipway-operator", metrics: metrics.transport, clock });
  const transport = connect();
  // Connections of its own: a renewal must not stand behind the writes of a busy hour until the lease has run out.
  const leaseTransport = connect();
  const elector = electorOf(dependencies, leaseTransport, metrics.leaderElection(LEASE));
  const client = elector === undefined ? transport : transport.fenced(elector.fence);

  const world = new World({ client: transport, namespaces: config.namespaces, clock, log: kube });
  const events = new EventRecorder({
    client,
    component: "slipway-operator",
    instance: config.identity,
    clock,
    log: kube,
  });
  const domain = new DomainMetrics(metrics.registry, () => (controller.isStarted ? world.objects() : undefined));
  const models = new LoadedModels({
    read: readLoadedModel,
    onLearned: (key) => controller.enqueue(key),
    clock,
    log: reconcile,
  });
  const registry = new MlflowRegistry(transport, new HostPolicy(config.mlflowHosts));
  const aliases = new AliasWatcher({
    registry,
    pollMs: config.mlflowPollSeconds * 1000,
    clock,
    log: reconcile,
    onChange: (key) => controller.enqueue(key),
  });
  const reconciler = new Reconciler({
    world,
    aliases,
    cluster: new Cluster(client, (written) => world.remember(written)),
    readRouters: (pods) => readRouters(pods, reconcile),
    complaints: new PodComplaints({ client: transport, clock, log: reconcile }),
    models,
    events,
    onLoadFailure: (object, reason) => domain.failed(object, reason),
    settings: {
      runtimeImage: config.runtimeImage,
      routerImage: config.routerImage,
      scaleDownDelayMs: config.scaleDownDelaySeconds * 1000,
    },
    podUsers: config.openshift === true ? "Assigned" : "Fixed",
    clock,
    log: reconcile,
  });
  const controller = new Controller({
    queue: new WorkQueue({ clock, metrics: metrics.workQueue(NAME) }),
    reconcile: (key) => reconciler.reconcile(key),
    workers: config.workers,
    clock,
    log: reconcile,
    metrics: metrics.controller(NAME),
  });
  // A replica that waits for the lease would fill its queue with keys that nobody takes.
  world.onChange((key, turn) => controller.isStarted && controller.enqueue(key, turn));
  const health = await startHealthServer({
    host: config.bindAddress,
    healthPort: config.healthPort,
    metricsPort: config.metricsPort,
    livenessChecks: {},
    readinessChecks: { caches: () => (world.hasSynced ? undefined : "caches are not synced yet") },
    registry: metrics.registry,
  });

  const profiler = config.profilingPort === 0 ? undefined : await startProfiler(config.profilingPort);

  world.start();
  elector?.start();
  const work = startWork(world, elector, controller, log);
  const resync = setInterval(() => {
    if (controller.isStarted) for (const key of world.keys()) controller.enqueue(key, { priority: "low" });
  }, RESYNC_MS);
  log.info({ ...health, close: undefined, namespaces: config.namespaces }, "operator started");
  return {
    ...health,
    stop: async () => {
      clearInterval(resync);
      work.abandon();
      models.stop();
      await controller.stop();
      aliases.stop();
      await registry.close();
      await events.stop();
      await elector?.release();
      await world.stop();
      await profiler?.close();
      await health.close();
      await Promise.all([transport.close(), leaseTransport.close()]);
    },
  };
}

/** Reconciling begins when all caches are full and, with leader election, the lease is held. */
function startWork(world: World, elector: LeaderElector | undefined, controller: Controller, log: Log) {
  let isAbandoned = false;
  const begin = async (): Promise<void> => {
    await Promise.all([world.synced(), elector?.acquired()]);
    if (isAbandoned) return;
    controller.start();
    const keys = world.keys();
    for (const key of keys) controller.enqueue(key, { priority: "low" });
    log.info({ objects: keys.length }, "caches synced, reconciling");
  };
  void begin();
  return { abandon: () => (isAbandoned = true) };
}

function electorOf(
  { config, clock, log, areaLogs, onLeadershipLost }: OperatorDependencies,
  client: KubeTransport,
  metrics: { leading(isLeader: boolean): void },
): LeaderElector | undefined {
  if (config.leaderElection === undefined) return undefined;
  return new LeaderElector({
    client,
    lease: { namespace: config.leaderElection.namespace, name: LEASE },
    identity: `${config.identity}-${randomBytes(4).toString("hex")}`,
    onLost: onLeadershipLost,
    clock,
    log: areaLogs?.election ?? log,
    metrics,
  });
}
