import type { V1DeploymentCondition, V1Pod, V2HorizontalPodAutoscalerCondition } from "@kubernetes/client-node";
import type { AliasProblem } from "../plan/aliases.ts";
import type { LoadedModel, Observed } from "../plan/observed.ts";
import type { Complaints } from "./pod-failure.ts";

/** What status may look at: the facts of planning, and what explains them. */
export interface Facts extends Observed {
  /** Pods by revision, without those of the routers. */
  readonly pods: ReadonlyMap<string, readonly V1Pod[]>;
  readonly complaints: Complaints;
  /** What pods have loaded, by the pods' uid, as far as they have told. */
  readonly models: ReadonlyMap<string, LoadedModel>;
  /** Conditions of the Deployments by revision. */
  readonly deploymentConditions: ReadonlyMap<string, readonly V1DeploymentCondition[]>;
  /** Conditions of the HPAs by revision. */
  readonly autoscalers: ReadonlyMap<string, readonly V2HorizontalPodAutoscalerCondition[]>;
  /** Why aliases could not be asked for again; what they named before goes on counting. */
  readonly stale?: readonly AliasProblem[];
  /** Where a cloud's load balancer exposes the front Service. */
  readonly loadBalancer: { readonly host: string; readonly port?: number | undefined } | undefined;
}

/** What came of the writes. */
export interface Applied {
  /** Children that cannot be ours: an object of that name belongs to somebody else. */
  readonly notOwned: readonly string[];
  /** Children that the API server refused, by what it said: a quota, an admission policy, an invalid field. */
  readonly refused: readonly { readonly child: string; readonly message: string; readonly quota: boolean }[];
}

export const nothingRefused: Applied = { notOwned: [], refused: [] };
