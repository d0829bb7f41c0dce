import { parse } from "yaml";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { LoadedModel, Observed, ObservedReplicas, ObservedRouter } from "../../../operator/plan/observed.ts";
import { planRollout } from "../../../operator/plan/plan-rollout.ts";
import type { Plan, PlannedRouter } from "../../../operator/plan/plan-rollout.ts";
import { newestRecord } from "../../../operator/plan/record.ts";
import type { RolloutRecord } from "../../../operator/plan/record.ts";
import { canonicalJson } from "../../../operator/plan/revision.ts";
import type { PlanSettings } from "../../../operator/plan/transitions.ts";
import type { Split } from "../../../operator/traffic/intervals.ts";
import { validModelDeployment } from "./model-deployment.ts";

export const SETTINGS: PlanSettings = {
  runtimeImage: "runtime:1",
  routerImage: "envoy:1",
  scaleDownDelayMs: 30_000,
};

const ROUTERS = ["router-0", "router-1"] as const;
const START = Date.parse("2026-01-01T00:00:00Z");

/** A router pod: it takes clusters, routes and the health of pods in, each at a time of its own. */
export interface SimulatedRouter {
  readonly pod: string;
  ready: boolean;
  /** It serves, but its status port does not answer. */
  silent: boolean;
  clusters: ClustersTaken | undefined;
  routes: RoutesTaken | undefined;
  healthyHosts: ReadonlyMap<string, number>;
}

interface ClustersTaken {
  readonly version: string;
  readonly names: ReadonlySet<string>;
}

interface RoutesTaken {
  readonly hash: string;
  readonly split: Split;
}

/** One step of the operator, with what it could see and what stood before it. */
export interface Pass {
  readonly plan: Plan;
  readonly before: Plan | undefined;
  readonly recordBefore: RolloutRecord | undefined;
  readonly now: number;
  /** Ready pods by revision, as observed. */
  readonly readyPods: ReadonlyMap<string, number>;
  readonly routers: readonly SimulatedRouter[];
}

/**
 * The world around `planRollout`: Deployments whose pods become ready when a test says so, routers that each catch up in
 * their own time, and a front Service whose annotation is all that the operator remembers.
 */
export class SimulatedCluster {
  readonly routers: SimulatedRouter[] = [];
  readonly deployments = new Map<string, { wanted: number; ready: number }>();
  now = START;
  plan: Plan | undefined;
  /** What pods say of their models; while it is undefined nobody asks. */
  loaded: ReadonlyMap<string, LoadedModel> | undefined;
  #spec: ModelDeploymentSpec;
  #generation = 1;
  #annotation: string | undefined;
  #config: { readonly clusters: ClustersTaken; readonly routes: RoutesTaken } | undefined;

  constructor(spec: ModelDeploymentSpec) {
    this.#spec = spec;
  }

  get spec(): ModelDeploymentSpec {
    return this.#spec;
  }

  /** What an operator that starts now would know. */
  get record(): RolloutRecord | undefined {
    return newestRecord(this.#annotation === undefined ? [] : [JSON.parse(this.#annotation)]);
  }

  change(spec: ModelDeploymentSpec): void {
    this.#spec = spec;
    this.#generation += 1;
  }

  /** One reconcile. With `crashes` the operator dies after it wrote the front Service, thus the record. */
  reconcile({ crashes = false, settings = SETTINGS } = {}): Pass {
    const md = validModelDeployment(this.#spec, { generation: this.#generation });
    const observed = this.observe();
    const readyPods = new Map([...this.deployments].map(([id, { ready }]) => [id, ready]));
    const plan = planRollout(md, observed, this.now, settings);
    const pass = {
      plan,
      before: this.plan,
      recordBefore: observed.record,
      now: this.now,
      readyPods,
      routers: structuredClone(this.routers),
    };
    this.#annotation = canonicalJson(plan.record);
    if (crashes) return pass;
    this.#applyRevisions(plan);
    this.#applyRouter(plan.router);
    this.plan = plan;
    return pass;
  }

  observe(): Observed {
    return {
      record: this.record,
      revisions: new Map(structuredClone([...this.deployments])),
      routers: { replicas: this.#routerReplicas(), ready: this.#reports() },
      ...(this.loaded && { loaded: this.loaded }),
    };
  }

  /** Everything that can become ready or catch up does so. */
  settle(): void {
    for (const pods of this.deployments.values()) pods.ready = pods.wanted;
    for (const router of this.routers) {
      router.silent = false;
      this.startRouter(router);
      this.takeClusters(router);
      this.takeRoutes(router);
      this.checkHealth(router);
    }
  }

  startRouter(router: SimulatedRouter): void {
    if (router.ready) return;
    router.ready = true;
    this.takeClusters(router);
    this.takeRoutes(router);
  }

  takeClusters(router: SimulatedRouter): void {
    router.clusters = this.#config?.clusters;
  }

  takeRoutes(router: SimulatedRouter): void {
    router.routes = this.#config?.routes;
  }

  checkHealth(router: SimulatedRouter): void {
    const known = [...(router.clusters?.names ?? [])];
    const podsOf = (cluster: string): number => this.deployments.get(cluster.replace(/_grpc$/, ""))?.ready ?? 0;
    router.healthyHosts = new Map(known.map((cluster) => [cluster, podsOf(cluster)]));
  }

  #routerReplicas(): ObservedReplicas | undefined {
    if (this.routers.length === 0) return undefined;
    return { wanted: ROUTERS.length, ready: this.routers.filter(({ ready }) => ready).length };
  }

  #reports(): ObservedRouter[] {
    return this.routers
      .filter(({ ready }) => ready)
      .map(({ pod, silent, clusters, routes, healthyHosts }) => ({
        pod,
        ...(!silent && clusters && { clustersVersion: clusters.version }),
        ...(!silent && routes && { routesHash: routes.hash }),
        healthyHosts: silent ? new Map() : healthyHosts,
      }));
  }

  /** As the API server, the Deployment controller and an HPA at low load would have it. */
  #applyRevisions(plan: Plan): void {
    const planned = new Map(plan.revisions.map((revision) => [revision.id, revision]));
    for (const id of this.deployments.keys()) if (!planned.has(id)) this.deployments.delete(id);
    for (const [id, { floor, serving }] of planned) {
      const pods = this.deployments.get(id) ?? { wanted: floor, ready: 0 };
      const most = serving.autoscaling?.maxReplicas ?? floor;
      const wanted = Math.min(most, Math.max(floor, serving.autoscaling ? pods.wanted : floor));
      this.deployments.set(id, { wanted, ready: Math.min(pods.ready, wanted) });
    }
  }

  #applyRouter(router: PlannedRouter | undefined): void {
    this.#config = router && {
      clusters: { version: router.clusters.version, names: clusterNames(router.clusters.text) },
      routes: { hash: router.routes.hash, split: writtenSplit(router.routes.text) },
    };
    if (router === undefined) this.routers.length = 0;
    else if (this.routers.length === 0) this.routers.push(...ROUTERS.map(newRouter));
  }
}

function newRouter(pod: string): SimulatedRouter {
  return { pod, ready: false, silent: false, clusters: undefined, routes: undefined, healthyHosts: new Map() };
}

interface RouteTable {
  readonly resources: readonly {
    readonly virtual_hosts: readonly {
      readonly name: string;
      readonly routes: readonly {
        readonly match: { readonly headers?: readonly object[] };
        readonly route?: { readonly weighted_clusters?: { clusters: readonly { name: string; weight: number }[] } };
      }[];
    }[];
  }[];
}

const readTexts = new Map<string, unknown>();

/** Parsed once for each text: simulations read the same configs many times. */
function readYaml(text: string): unknown {
  if (!readTexts.has(text)) readTexts.set(text, parse(text));
  return readTexts.get(text);
}

function clusterNames(text: string): ReadonlySet<string> {
  const { resources } = readYaml(text) as { resources: readonly { name: string }[] };
  return new Set(resources.map(({ name }) => name));
}

/** The split as Envoy reads it from the written routes. */
export function writtenSplit(text: string): Split {
  const { resources } = readYaml(text) as RouteTable;
  const routes = resources.flatMap(({ virtual_hosts }) => virtual_hosts).flatMap(({ routes }) => routes);
  const [split] = routes.flatMap(({ match, route }) => {
    return match.headers === undefined ? (route?.weighted_clusters ?? []) : [];
  });
  return (split?.clusters ?? []).map(({ name, weight }) => ({ revision: name, buckets: weight }));
}
