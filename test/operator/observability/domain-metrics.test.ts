import { expect } from "chai";
import { Registry } from "prom-client";
import type { RevisionStatus } from "../../../operator/api/status.ts";
import { DomainMetrics } from "../../../operator/observability/domain-metrics.ts";
import type { MeasuredObject } from "../../../operator/observability/domain-metrics.ts";

const revision = (fields: Partial<RevisionStatus> = {}): RevisionStatus => ({
  revision: "v1-aaaaaaaa",
  version: "v1",
  state: "Serving",
  replicas: 3,
  readyReplicas: 2,
  weight: { desired: 80, applied: 100 },
  ...fields,
});

const loan = (...revisions: RevisionStatus[]): MeasuredObject => ({
  metadata: { namespace: "credit", name: "loan" },
  status: { phase: "Serving", revisions },
});

describe("DomainMetrics", () => {
  let objects: MeasuredObject[] | undefined;
  let registry: Registry;
  let metrics: DomainMetrics;

  beforeEach(() => {
    objects = [];
    registry = new Registry();
    metrics = new DomainMetrics(registry, () => objects);
  });

  /** The series of one metric, as they are scraped. */
  async function series(name: string): Promise<string[]> {
    const lines = (await registry.metrics()).split("\n");
    return lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  }

  const labels = 'namespace="credit",name="loan",version="v1",revision="v1-aaaaaaaa"';

  it("tells each revision's weights, and none that is not known", async () => {
    objects = [loan(revision())];
    expect(await series("slipway_revision_weight_percent")).to.deep.equal([
      `slipway_revision_weight_percent{${labels},kind="desired"} 80`,
      `slipway_revision_weight_percent{${labels},kind="applied"} 100`,
    ]);
    objects = [loan(revision({ weight: { desired: 80, applied: 80, verified: 80 } }))];
    expect(await series("slipway_revision_weight_percent")).to.include(
      `slipway_revision_weight_percent{${labels},kind="verified"} 80`,
    );
  });

  it("tells a revision's state and pods; a state that it left has no series", async () => {
    objects = [loan(revision({ state: "Starting" }))];
    await registry.metrics();
    objects = [loan(revision({ state: "Failed" }))];
    expect(await series("slipway_revision_state")).to.deep.equal([
      `slipway_revision_state{${labels},state="Failed"} 1`,
    ]);
    expect(await series("slipway_revision_replicas")).to.deep.equal([
      `slipway_revision_replicas{${labels},kind="wanted"} 3`,
      `slipway_revision_replicas{${labels},kind="ready"} 2`,
    ]);
  });

  it("counts objects by phase; one that nobody has looked at is Pending", async () => {
    objects = [loan(), { metadata: { namespace: "credit", name: "new" } }];
    expect(await series("slipway_model_deployments")).to.have.members([
      'slipway_model_deployments{phase="Serving"} 1',
      'slipway_model_deployments{phase="Pending"} 1',
    ]);
  });

  it("tells conditions as numbers", async () => {
    const condition = { reason: "", message: "", lastTransitionTime: "", observedGeneration: 1 };
    const conditions = [
      { type: "Available", status: "True", ...condition },
      { type: "Ready", status: "Unknown", ...condition },
    ] as const;
    objects = [{ ...loan(), status: { conditions: [...conditions] } }];
    const of = 'slipway_model_deployment_condition{namespace="credit",name="loan"';
    expect(await series("slipway_model_deployment_condition")).to.deep.equal([
      `${of},type="Available"} 1`,
      `${of},type="Ready"} -1`,
    ]);
  });

  it("counts load failures by reason", async () => {
    objects = [loan()];
    for (const reason of ["DigestMismatch", "CrashLoop", "CrashLoop"]) metrics.failed(loan(), reason);
    const of = 'slipway_load_failures_total{namespace="credit",name="loan"';
    expect(await series("slipway_load_failures_total")).to.deep.equal([
      `${of},reason="DigestMismatch"} 1`,
      `${of},reason="CrashLoop"} 2`,
    ]);
  });

  it("drops every series of an object that is gone", async () => {
    objects = [loan(revision())];
    metrics.failed(loan(), "CrashLoop");
    expect(await registry.metrics()).to.include('name="loan"');
    objects = [];
    expect(await registry.metrics()).not.to.include('name="loan"');
    objects = [loan(revision())];
    expect(await series("slipway_load_failures_total"), "of its namesake").to.deep.equal([]);
  });

  it("is silent where another replica reconciles", async () => {
    objects = undefined;
    expect(await series("slipway_revision_state")).to.deep.equal([]);
    expect(await series("slipway_model_deployments")).to.deep.equal([]);
  });

  it("gives 2,000 objects series of their own and counts the others", async () => {
    objects = Array.from({ length: 2_500 }, (_, index) => ({
      metadata: { namespace: "many", name: `model-${index}` },
      status: { phase: "Serving", revisions: [revision()] },
    }));
    expect(await series("slipway_revision_state")).to.have.length(2_000);
    expect(await series("slipway_model_deployments")).to.deep.equal([
      'slipway_model_deployments{phase="Serving"} 2500',
    ]);
    expect(await series("slipway_model_deployments_without_series")).to.deep.equal([
      "slipway_model_deployments_without_series 500",
    ]);
    for (const object of objects) metrics.failed(object, "CrashLoop");
    expect(await series("slipway_load_failures_total")).to.have.length(2_000);
  });
});
