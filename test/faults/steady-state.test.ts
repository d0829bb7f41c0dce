import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { LABELS } from "../../operator/api/names.ts";
import { horizontalPodAutoscalers } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { modelDeployments } from "../../operator/reconcile/resource-types.ts";
import { oneVersion, twoVersions } from "../integration/objects/fixture.ts";
import type { ModelDeployment } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { expectSameState, settled } from "./support/end-state.ts";
import { isLongForm, isRealCluster } from "./support/forms.ts";
import { Lanes } from "./support/lanes.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { FaultCluster } from "./support/site.ts";
import type { Site } from "./support/site.ts";

type Autoscaler = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };

const OBJECTS = 100;
/** The long form meets the resync of ten minutes, and the end of every watch. */
const MINUTES = isLongForm ? 11 : 1;

/** Of each sort of object some: with an HPA, with routers, and with quantities as people write them. */
const SPECS: readonly object[] = [
  oneVersion,
  { ...oneVersion, serving: { autoscaling: { minReplicas: 1, maxReplicas: 3 } } },
  {
    ...oneVersion,
    serving: { resources: { requests: { cpu: "+1", memory: "1E3" }, limits: { memory: "1.5Gi", cpu: "2.5" } } },
  },
  { ...oneVersion, serving: { env: [{ name: "EMPTY", value: "" }], probes: { initialDelaySeconds: 0 } } },
  { ...oneVersion, traffic: { service: { type: "LoadBalancer", annotations: { "example.com/a": "" } } } },
];

describe(`with ${OBJECTS} live objects`, function () {
  this.timeout((MINUTES + 8) * 60_000);

  it(`the operator writes nothing and lists nothing for ${MINUTES === 1 ? "a minute" : `${MINUTES} minutes`}, nor after a restart`, async () => {
    await using cluster = await FaultCluster.start();
    await using site = await cluster.site();
    const operator = site.startOperator();
    const names = Array.from({ length: OBJECTS }, (_, index) => `model-${index}`);
    const lanes = new Lanes(4);
    await lanes.all(names, async (name) => {
      const index = names.indexOf(name);
      const spec = index < 3 ? twoVersions(80, 20) : SPECS[index % SPECS.length];
      await site.fixture.apply(name, spec ?? oneVersion);
    });
    await lanes.all(names, async (name) => settled(site, name, 240_000));
    await eventually(async () => autoscalersAreTold(site), 180_000);
    await eventually(() => {
      const last = site.proxy.requests.findLast(({ query }) => query.get("watch") !== "true");
      expect(performance.now() - (last?.at ?? 0), "ms since the last Event was written").to.be.above(5_000);
    }, 120_000);
    await site.idle();
    const from = site.proxy.requests.length;
    await sleep(MINUTES * 60_000);
    const others = site.proxy.requests.slice(from).filter(({ query }) => query.get("watch") !== "true");
    expectSameState(
      others.map(({ method, path }) => `${method} ${path}`),
      [],
      "what was asked beside watches",
    );

    const writes = site.proxy.writes.length;
    await operator[Symbol.asyncDispose]();
    const restarted = await site.startOperator().started();
    await reconciledAll(restarted);
    expect(site.proxy.writes.slice(writes).map(({ method, path }) => `${method} ${path}`)).to.deep.equal([]);
  });

  /** Each HPA has looked for metrics; where there are none, that is told, once, a minute later. */
  async function autoscalersAreTold({ fixture }: Site): Promise<void> {
    const objects = new Map(
      (await fixture.list<ModelDeployment>(modelDeployments)).map((each) => [each.metadata.name, each]),
    );
    for (const { metadata, status } of await fixture.list<Autoscaler>(horizontalPodAutoscalers)) {
      const name = metadata.labels?.[LABELS.modelDeployment] ?? "";
      if (isRealCluster) expect(status?.conditions, name).to.not.be.empty;
      const fails = status?.conditions?.some(({ type, status: is }) => type === "ScalingActive" && is === "False");
      if (fails) expect(objects.get(name)?.status?.revisions?.[0], name).to.include({ reason: "NotScaling" });
    }
  }

  async function reconciledAll(operator: OperatorProcess): Promise<void> {
    await eventually(async () => {
      const text = await operator.metrics();
      const total = [...text.matchAll(/^controller_runtime_reconcile_total\{.*\} (\d+)$/gm)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
      expect(total).to.be.at.least(OBJECTS);
      expect(text)
        .to.match(/^workqueue_depth\{.*\} 0$/m)
        .and.match(/^controller_runtime_active_workers\{.*\} 0$/m);
    }, 60_000);
  }
});
