import type { RolloutRecord } from "./record.ts";
import type { Artifacts } from "./revision.ts";

/** What the caches and the routers say of one ModelDeployment's children: all that planning may look at. */
export interface Observed {
  readonly record: RolloutRecord | undefined;
  /** What the aliases in the sources name. */
  readonly artifacts?: Artifacts;
  /** Revisions that have a Deployment, by id. */
  readonly revisions: ReadonlyMap<string, ObservedReplicas>;
  readonly routers: ObservedRouters;
  /** What the ready pods of revisions have loaded, by id; of one that is not here none has been asked yet. */
  readonly loaded?: ReadonlyMap<string, LoadedModel>;
}

/** What a server says of the model that it has loaded; what it does not say is left out. */
export interface LoadedModel {
  readonly sha256?: string;
  /** The fields of a row of /predict, where they have names. */
  readonly features?: readonly Feature[];
}

export interface Feature {
  readonly name: string;
  /** number, integer, string or boolean. */
  readonly type: string;
  /** Whether a row may go without it. */
  readonly nullable: boolean;
}

/** Counts of a Deployment. */
export interface ObservedReplicas {
  /** What the Deployment asks for now: under an HPA, what that HPA has decided. */
  readonly wanted: number;
  readonly ready: number;
}

export interface ObservedRouters {
  readonly replicas: ObservedReplicas | undefined;
  /** Router pods that are ready, thus in the front Service's endpoints. */
  readonly ready: readonly ObservedRouter[];
}

/** What a router's status port said; undefined fields when it did not answer. */
export interface ObservedRouter {
  readonly pod: string;
  readonly clustersVersion?: string;
  readonly routesHash?: string;
  /** Hosts that pass its health check, by revision. */
  readonly healthyHosts: ReadonlyMap<string, number>;
}
