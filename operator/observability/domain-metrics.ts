import { Counter, Gauge, type Registry } from "prom-client";
import type { ModelDeploymentStatus, RevisionStatus } from "../api/status.ts";

/** A ModelDeployment as it is in the cache. */
export interface MeasuredObject {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly status?: ModelDeploymentStatus;
}

/** Above this, which is some 30,000 series, objects are counted and no longer told apart: a scrape must stay cheap. */
const MOST_OBJECTS = 2_000;

const OBJECT = ["namespace", "name"] as const;
const REVISION = [...OBJECT, "version", "revision"] as const;

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
    const measured = (): readonly MeasuredObject[] => (objects() ?? []).slice(0, MOST_OBJECTS);
    const registers = [registry];

    gauge("slipway_model_deployments", "ModelDeployments by phase.", ["phase"], (set) => {
      for (const [phase, group] of Map.groupBy(objects() ?? [], ({ status }) => status?.phase ?? "Pending"))
        set({ phase }, group.length);
    });
    gauge(
      "slipway_model_deployments_without_series",
      `ModelDeployments above the ${MOST_OBJECTS} that have series of their own.`,
      [],
      (set) => set({}, Math.max(0, (objects()?.length ?? 0) - MOST_OBJECTS)),
    );
    gauge(
      "slipway_model_deployment_condition",
      "1 where the condition is True, 0 where it is False, -1 where it is Unknown.",
      [...OBJECT, "type"],
      (set) => {
        for (const object of measured())
          for (const { type, status } of object.status?.conditions ?? [])
            set({ ...objectLabels(object), type }, CONDITION_VALUES[status]);
      },
    );
    revisionGauge("slipway_revision_state", "1 for the state that the revision is in.", ["state"], (revision, set) =>
      set({ state: revision.state }, 1),
    );
    revisionGauge(
      "slipway_revision_weight_percent",
      "Share of the traffic: desired by the spec, applied in the config that is written, verified in the data plane.",
      ["kind"],
      ({ weight }, set) => {
        for (const [kind, percent] of Object.entries(weight)) set({ kind }, percent);
      },
    );
    revisionGauge("slipway_revision_replicas", "Pods asked for, and ready.", ["kind"], (revision, set) => {
      set({ kind: "wanted" }, revision.replicas);
      set({ kind: "ready" }, revision.readyReplicas);
    });
    const countFailures = (counter: Counter<"namespace" | "name" | "reason">): void => this.#countFailures(counter);
    new Counter({
      name: "slipway_load_failures_total",
      help: "Times that a revision's pods failed for a reason that they did not give before.",
      labelNames: [...OBJECT, "reason"],
      registers,
      collect() {
        countFailures(this);
      },
    });

    function revisionGauge(
      name: string,
      help: string,
      labelNames: readonly string[],
      each: (revision: RevisionStatus, set: (labels: Record<string, string>, value: number) => void) => void,
    ): void {
      gauge(name, help, [...REVISION, ...labelNames], (set) => {
        for (const object of measured())
          for (const revision of object.status?.revisions ?? []) {
            const common = { ...objectLabels(object), version: revision.version, revision: revision.revision };
            each(revision, (labels, value) => set({ ...common, ...labels }, value));
          }
      });
    }

    function gauge(
      name: string,
      help: string,
      labelNames: readonly string[],
      collect: (set: (labels: Record<string, string>, value: number) => void) => void,
    ): void {
      new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers,
        collect() {
          this.reset();
          collect((labels, value) => this.set(labels, value));
        },
      });
    }
  }

  /** `reason` is one of the typed ones: they are few. */
  failed({ metadata }: Pick<MeasuredObject, "metadata">, reason: string): void {
    const key = keyOf(metadata);
    const reasons = this.#failures.get(key) ?? new Map<string, number>();
    if (reasons.size === 0 && this.#failures.size >= MOST_OBJECTS) return;
    this.#failures.set(key, reasons.set(reason, (reasons.get(reason) ?? 0) + 1));
  }

  #countFailures(counter: Counter<"namespace" | "name" | "reason">): void {
    this.#forgetGone();
    counter.reset();
    for (const [key, reasons] of this.#failures) {
      const [namespace = "", name = ""] = key.split("/");
      for (const [reason, count] of reasons) counter.inc({ namespace, name, reason }, count);
    }
  }

  #forgetGone(): void {
    const there = new Set((this.#objects() ?? []).map(({ metadata }) => keyOf(metadata)));
    for (const key of this.#failures.keys()) if (!there.has(key)) this.#failures.delete(key);
  }
}

const CONDITION_VALUES = { True: 1, False: 0, Unknown: -1 } as const;

function objectLabels({ metadata }: MeasuredObject): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

function keyOf({ namespace = "", name }: MeasuredObject["metadata"]): string {
  return `${namespace}/${name}`;
}
