import { sharesOf } from "../traffic/intervals.ts";
import type { RolloutRecord, Route } from "./record.ts";

/** What children tell of a rollout whose record is gone. */
export interface Remains {
  /** Whom the front Service selects, and what its routers were told. */
  readonly serving: Route;
  readonly revisions: ReadonlyMap<string, RemainingRevision>;
  readonly routerImage?: string;
}

export interface RemainingRevision {
  readonly version: string;
  readonly image: string;
  /** Pods that its Deployment asks for now. */
  readonly replicas: number;
  readonly grpc: boolean;
}

/**
 * A record of what serves, as if that had been asked for: what comes next starts from there, by make before break, and
 * prunes nothing that has a share. A revision's source is not in it; its pods stay what their pinned template says. Undefined
 * where somebody has a share of whom nothing is left.
 */
export function salvagedRecord({ serving, revisions, routerImage }: Remains, now: number): RolloutRecord | undefined {
  if ([...sharesOf(serving.split).keys()].some((id) => !revisions.has(id))) return undefined;
  if (serving.via === "Router" && routerImage === undefined) return undefined;
  const route = { via: serving.via, split: [...serving.split] };
  return {
    sequence: 1,
    stage: "Completed",
    base: route,
    from: route,
    to: route,
    step: 0,
    stepStarted: new Date(now).toISOString(),
    pausedFor: 0,
    failed: [],
    nonces: {},
    revisions: Object.fromEntries(
      [...revisions].map(([id, { version, image, replicas, grpc }]) => [
        id,
        { version, image, serving: { replicas }, ...(grpc && { grpc: true as const }) },
      ]),
    ),
    draining: {},
    ...(routerImage !== undefined && { router: { image: routerImage } }),
  };
}
