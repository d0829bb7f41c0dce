import { Counter, Gauge, type Metric, type Registry } from "prom-client";
import type { ModelDeploymentStatus, RevisionStatus } from "../api/status.ts";

/** A ModelDeployment as it is in the cache. */
export interface MeasuredObject {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly status?: ModelDeploymentStatus;
}

type Labels = Readonly<Record<string, string>>;
type SetValue = (labels: Labels, value: number) => void;

/** Above this, which is some 30,000 series, objects are counted and no longer told apart: a scrape must stay cheap. */
const MOST_OBJECTS = 2_000;

const OBJECT = ["namespace", "name"] as const;
const REVISION = [...OBJECT, "version", "revision"] as const;
const CONDITION_VALUES = { True: 1, False: 0, Unknown: -1 } as const;

/**
 * What the ModelDeployments are like, read from their cached statuses at each scrape: what is gone has no series. Only the
 * replica that reconciles tells, so that sums over replicas are right.
 */
export class DomainMetrics {
  readonly #objects: () => readonly MeasuredObject[] | undefined;
  /** By object, then by reason. */
  readonly #failures = new Map<string, Map<string, number>>();

  /** `objects` are undefined while another replica reconciles. */
  constructor(registry: Registry, objects: () => readonly MeasuredObject[] | undefined) {
    this.#objects = objects;
    const told = (): readonly MeasuredObject[] => (objects() ?? []).slice(0, MOST_OBJECTS);
    for (const metric of [
      phases(() => objects() ?? []),
      untold(() => objects() ?? []),
      conditions(told),
      revisionStates(told),
      revisionWeights(told),
      revisionReplicas(told),
      this.#loadFailures(),
    ])
      registry.registerMetric(metric);
  }

  /** `reason` is one of the typed ones: they are few. */
  failed({ metadata }: Pick<MeasuredObject, "metadata">, reason: string): void {
    const key = keyOf(metadata);
    const reasons = this.#failures.get(key) ?? new Map<string, number>();
    if (reasons.size === 0 && this.#failures.size >= MOST_OBJECTS) return;
    this.#failures.set(key, reasons.set(reason, (reasons.get(reason) ?? 0) + 1));
  }

  #loadFailures(): Metric {
    const count = (increase: SetValue): void => {
      this.#forgetGone();
      for (const [key, reasons] of this.#failures) {
        const [namespace = "", name = ""] = key.split("/");
        for (const [reason, times] of reasons) increase({ namespace, name, reason }, times);
      }
    };
    return new Counter({
      name: "slipway_load_failures_total",
      help: "Times that a revision's pods failed for a reason that they did not give before.",
      labelNames: [...OBJECT, "reason"],
      registers: [],
      collect() {
        this.reset();
        count((labels, times) => this.inc(labels, times));
      },
    });
  }

  #forgetGone(): void {
    const there = new Set((this.#objects() ?? []).map(({ metadata }) => keyOf(metadata)));
    for (const key of this.#failures.keys()) if (!there.has(key)) this.#failures.delete(key);
  }
}

function phases(objects: () => readonly MeasuredObject[]): Metric {
  return gauge("slipway_model_deployments", "ModelDeployments by phase.", ["phase"], (set) => {
    for (const [phase, group] of Map.groupBy(objects(), ({ status }) => status?.phase ?? "Pending"))
      set({ phase }, group.length);
  });
}

function untold(objects: () => readonly MeasuredObject[]): Metric {
  const help = `ModelDeployments above the ${MOST_OBJECTS} that have series of their own.`;
  return gauge("slipway_model_deployments_without_series", help, [], (set) =>
    set({}, Math.max(0, objects().length - MOST_OBJECTS)),
  );
}

function conditions(objects: () => readonly MeasuredObject[]): Metric {
  const help = "1 where the condition is True, 0 where it is False, -1 where it is Unknown.";
  return gauge("slipway_model_deployment_condition", help, [...OBJECT, "type"], (set) => {
    for (const object of objects())
      for (const { type, status } of object.status?.conditions ?? [])
        set({ ...objectLabels(object), type }, CONDITION_VALUES[status]);
  });
}

function revisionStates(objects: () => readonly MeasuredObject[]): Metric {
  const help = "1 for the state that the revision is in.";
  return revisionGauge("slipway_revision_state", help, "state", objects, ({ state }) => ({ [state]: 1 }));
}

function revisionWeights(objects: () => readonly MeasuredObject[]): Metric {
  const help = "Share of the traffic: desired by the spec, applied in the config written, verified in the data plane.";
  return revisionGauge("slipway_revision_weight_percent", help, "kind", objects, ({ weight }) => weight);
}

function revisionReplicas(objects: () => readonly MeasuredObject[]): Metric {
  const help = "Pods asked for, and ready.";
  return revisionGauge("slipway_revision_replicas", help, "kind", objects, ({ replicas, readyReplicas }) => ({
    wanted: replicas,
    ready: readyReplicas,
  }));
}

/** A gauge of revisions with one more label, and its values by that label's. */
function revisionGauge(
  name: string,
  help: string,
  label: string,
  objects: () => readonly MeasuredObject[],
  valuesOf: (revision: RevisionStatus) => Readonly<Record<string, number>>,
): Metric {
  return gauge(name, help, [...REVISION, label], (set) => {
    for (const object of objects())
      for (const revision of object.status?.revisions ?? []) {
        const labels = { ...objectLabels(object), version: revision.version, revision: revision.revision };
        for (const [kind, value] of Object.entries(valuesOf(revision))) set({ ...labels, [label]: kind }, value);
      }
  });
}

/** Made anew at each scrape. */
function gauge(name: string, help: string, labelNames: readonly string[], measure: (set: SetValue) => void): Metric {
  return new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [],
    collect() {
      this.reset();
      measure((labels, value) => this.set(labels, value));
    },
  });
}

function objectLabels({ metadata }: MeasuredObject): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

function keyOf({ namespace = "", name }: MeasuredObject["metadata"]): string {
  return `${namespace}/${name}`;
}
