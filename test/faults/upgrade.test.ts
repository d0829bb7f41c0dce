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
import { isChildWrite } from "./support/fault-proxy.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { FaultCluster } from "./support/site.ts";

const NAME = "loan";

describe("an upgrade of the operator", function () {
  this.timeout(120_000);

  it("rolls nothing: neither its new default images nor a pod template that it makes otherwise reach what runs", async () => {
    await using cluster = await FaultCluster.start();
    await using site = await cluster.site();
    const { fixture, proxy } = site;
    const first = await site.startOperator().started();
    await fixture.apply(NAME, twoVersions(80, 20, { serving: { replicas: 2 } }));
    await settled(site, NAME);
    await first[Symbol.asyncDispose]();
    const writes = proxy.writes.length;
    const images = ["--runtime-image=slipway-runtime:next", "--router-image=envoy:next"];
    const second = await reconciled(site.startOperator(images));
    await site.idle();
    const ofChildren = proxy.writes.slice(writes).filter(isChildWrite);
    expect(ofChildren.map(({ method, path }) => `${method} ${path}`)).to.deep.equal([]);
    await second[Symbol.asyncDispose]();

    await madeByAnotherOperator(fixture);
    await eventually(async () => expect(Object.values(await rollsOf(fixture))).to.deep.equal(["2", "2", "2"]));
    const rolls = await rollsOf(fixture);
    await reconciled(site.startOperator(images));
    await settled(site, NAME);
    expect(await rollsOf(fixture)).to.deep.equal(rolls);

    await fixture.apply(NAME, twoVersions(80, 20, { serving: { replicas: 3 } }));
    await settled(site, NAME);
    for (const { spec, metadata } of await templates(fixture)) {
      expect(spec?.template.spec?.terminationGracePeriodSeconds, metadata.name).to.equal(OTHER_GRACE_SECONDS);
      expect(spec?.template.spec?.containers[0]?.image, metadata.name).to.match(/:test$/);
    }

    await fixture.apply(NAME, { source: { uri: "configmap://loan-v3" }, serving: { replicas: 3 } });
    const object = await settled(site, NAME);
    const made = await fixture.get<KubeObject & V1Deployment>(deployments, fixture.child(object, "v1"));
    expect(made.spec?.template.spec?.containers[0]?.image, "of a revision made since").to.equal("slipway-runtime:next");
  });
});

const OTHER_GRACE_SECONDS = 777;

async function reconciled(operator: OperatorProcess): Promise<OperatorProcess> {
  const success = /^controller_runtime_reconcile_total\{.*result="success"\} [1-9]/m;
  await eventually(async () => expect(await operator.metrics()).to.match(success), 60_000);
  return operator;
}

/** As an operator would have left them whose pods had another time to end: templates, and their pinned copies. */
async function madeByAnotherOperator(fixture: Fixture): Promise<void> {
  for (const { metadata } of await templates(fixture)) {
    const pinned = JSON.parse(metadata.annotations?.[ANNOTATIONS.template] ?? "{}") as { spec: object };
    const copy = canonicalJson({
      ...pinned,
      spec: { ...pinned.spec, terminationGracePeriodSeconds: OTHER_GRACE_SECONDS },
    });
    await fixture.patch(deployments, metadata.name, {
      metadata: { annotations: { [ANNOTATIONS.template]: copy } },
      spec: { template: { spec: { terminationGracePeriodSeconds: OTHER_GRACE_SECONDS } } },
    });
  }
}

async function templates(fixture: Fixture): Promise<(KubeObject & V1Deployment)[]> {
  return fixture.list(deployments, `${LABELS.modelDeployment}=${NAME}`);
}

/** How often each Deployment's template changed, as its controller counts. */
async function rollsOf(fixture: Fixture): Promise<Record<string, string | undefined>> {
  return Object.fromEntries(
    (await templates(fixture)).map(({ metadata }) => [
      metadata.name,
      metadata.annotations?.["deployment.kubernetes.io/revision"],
    ]),
  );
}
