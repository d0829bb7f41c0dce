import { expect } from "chai";
import type { V1Deployment } from "@kubernetes/client-node";
import { ANNOTATIONS, LABELS } from "../../operator/api/names.ts";
import { deployments } from "../../operator/kube/objects.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { canonicalJson } from "../../operator/plan/revision.ts";
import { twoVersions } from "../integration/objects/fixture.ts";
import type { Fixture } from "../integration/objects/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { settled } from "./support/end-state.ts";
import { FaultCluster } from "./support/site.ts";

const NAME = "loan";

describe("an upgrade of the operator", function () {
  this.timeout(120_000);

  it("rolls nothing: neither its new default images nor a pod template that it makes otherwise reach what runs", async () => {
    await using cluster = await FaultCluster.start();
    await using site = await cluster.site();
    const { fixture, proxy } = site;
    const before = await site.startOperator().started();
    await fixture.apply(NAME, twoVersions(80, 20, { serving: { replicas: 2 } }));
    await settled(site, NAME);
    await before[Symbol.asyncDispose]();
    await madeByAnotherOperator(fixture);
    const generations = await generationsOf(fixture);

    const writes = proxy.writes.length;
    const upgraded = await site
      .startOperator(["--runtime-image=slipway-runtime:next", "--router-image=envoy:next"])
      .started();
    await eventually(async () =>
      expect(await upgraded.metrics()).to.match(/^controller_runtime_reconcile_total\{.*result="success"\} [1-9]/m),
    );
    expect(proxy.writes.slice(writes).map(({ method, path }) => `${method} ${path}`)).to.deep.equal([]);

    await fixture.apply(NAME, twoVersions(80, 20, { serving: { replicas: 3 } }));
    await settled(site, NAME);
    const scaled = await templates(fixture);
    expect(scaled.length).to.equal(3);
    for (const { spec, metadata } of scaled) {
      expect(spec?.template.spec?.terminationGracePeriodSeconds, metadata?.name).to.equal(7);
      expect(spec?.template.spec?.containers[0]?.image, metadata?.name).to.match(/:test$/);
    }

    const artifact = { source: { uri: "configmap://loan-v3" }, serving: { replicas: 3 } };
    await fixture.apply(NAME, artifact);
    const object = await settled(site, NAME);
    const made = await fixture.get<KubeObject & V1Deployment>(deployments, fixture.child(object, "v1"));
    expect(made.spec?.template.spec?.containers[0]?.image, "of a revision made since").to.equal("slipway-runtime:next");
    expect(generations.size).to.equal(3);
  });
});

/** As an operator would have left them whose pods had 7 seconds to end: templates, and their pinned copies. */
async function madeByAnotherOperator(fixture: Fixture): Promise<void> {
  for (const { metadata } of await templates(fixture)) {
    const pinned = JSON.parse(metadata?.annotations?.[ANNOTATIONS.template] ?? "{}") as { spec: object };
    const copy = canonicalJson({ ...pinned, spec: { ...pinned.spec, terminationGracePeriodSeconds: 7 } });
    await fixture.patch(deployments, metadata?.name ?? "", {
      metadata: { annotations: { [ANNOTATIONS.template]: copy } },
      spec: { template: { spec: { terminationGracePeriodSeconds: 7 } } },
    });
  }
}

async function templates(fixture: Fixture): Promise<(KubeObject & V1Deployment)[]> {
  return fixture.list(deployments, `${LABELS.modelDeployment}=${NAME}`);
}

async function generationsOf(fixture: Fixture): Promise<Map<string, number | undefined>> {
  return new Map((await templates(fixture)).map(({ metadata }) => [metadata.name, metadata.generation]));
}
