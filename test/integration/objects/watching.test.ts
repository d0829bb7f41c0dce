import { KubeConfig } from "@kubernetes/client-node";
import { expect } from "chai";
import { systemClock } from "../../../operator/kube/clock.ts";
import { startOperator } from "../../../operator/operator.ts";
import type { Operator } from "../../../operator/operator.ts";
import { modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import { eventually } from "../../support/eventually.ts";
import { testOperatorConfig } from "../../support/operator-config.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { RecordingLog } from "../../operator/kube/recording-log.ts";
import { Fixture, oneVersion } from "./fixture.ts";

describe("watching the operator", function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let fixture: Fixture;
  const operators: Operator[] = [];
  const log = new RecordingLog();

  before(async () => {
    cluster = await startTestCluster("instant");
    fixture = new Fixture(cluster);
    for (const identity of ["one", "two"]) operators.push(await startOne(cluster.kubeConfig, identity));
  });
  after(async () => {
    await Promise.all(operators.map((operator) => operator.stop()));
    await cluster?.close();
  });

  it("finds both replicas ready once their caches are synced, the one that waits for the lease too", async () => {
    for (const { healthPort } of operators)
      await eventually(async () => expect(await get(healthPort, "/readyz")).to.deep.equal([200, "[+]caches ok\nok\n"]));
    await eventually(async () => expect(await leading()).to.have.members([0, 1]));
  });

  it("finds a replica alive but not ready while the API server does not answer", async () => {
    const nowhere = new KubeConfig();
    nowhere.loadFromClusterAndUser(
      { name: "nowhere", server: "http://127.0.0.1:1", skipTLSVerify: true },
      { name: "nobody" },
    );
    const lost = await startOne(nowhere, "lost");
    expect(await get(lost.healthPort, "/healthz")).to.deep.equal([200, "ok\n"]);
    const [status, body] = await get(lost.healthPort, "/readyz");
    expect(status).to.equal(503);
    expect(body).to.include("[-]caches failed: caches are not synced yet");
    await lost.stop();
  });

  it("shows what each revision should do and does, from the leader alone", async () => {
    const { status } = await fixture.apply("loan", oneVersion).then(() => fixture.ready("loan"));
    const revision = status?.revisions?.[0]?.revision;
    const labels = `namespace="${cluster.namespace}",name="loan",version="v1",revision="${revision}"`;
    await eventually(async () => {
      const lines = (await Promise.all(operators.map(({ metricsPort }) => metrics(metricsPort)))).flat();
      const ours = lines.filter((line) => line.includes(labels));
      expect(ours).to.have.members([
        `slipway_revision_state{${labels},state="Serving"} 1`,
        `slipway_revision_weight_percent{${labels},kind="desired"} 100`,
        `slipway_revision_weight_percent{${labels},kind="applied"} 100`,
        `slipway_revision_weight_percent{${labels},kind="verified"} 100`,
        `slipway_revision_replicas{${labels},kind="wanted"} 1`,
        `slipway_revision_replicas{${labels},kind="ready"} 1`,
      ]);
    });
  });

  it("has controller-runtime's metrics of the work that was done", async () => {
    const lines = await metrics(await leader());
    for (const pattern of [
      /^controller_runtime_reconcile_total\{controller="modeldeployment",result="success"\} [1-9]/,
      /^workqueue_adds_total\{name="modeldeployment",controller="modeldeployment"\} [1-9]/,
      /^rest_client_requests_total\{code="200",method="PATCH",host="[^"]+"\} [1-9]/,
      /^leader_election_master_status\{name="slipway-operator"\} 1$/,
    ])
      expect(
        lines.some((line) => pattern.test(line)),
        String(pattern),
      ).to.equal(true);
  });

  it("finds nothing waiting in the queue of a replica that waits for the lease", async () => {
    const all = await Promise.all(operators.map(({ metricsPort }) => metrics(metricsPort)));
    const standby = all.find((lines) => lines.includes('leader_election_master_status{name="slipway-operator"} 0'));
    expect(standby).to.include('workqueue_depth{name="modeldeployment",controller="modeldeployment"} 0');
  });

  it("says in each line of a change which object and which revision it is about", () => {
    const changes = log.lines.filter(({ message }) => message === "model deployment changed");
    const made = changes.find(({ fields }) => "reason" in fields && fields.reason === "RevisionCreated");
    expect(made?.fields).to.include({ namespace: cluster.namespace, name: "loan" });
    expect(made?.fields)
      .to.have.property("revision")
      .that.matches(/^v1-[a-z0-9]{8}$/);
  });

  it("shows nothing of an object that is gone", async () => {
    await fixture.delete(modelDeployments, "loan");
    await eventually(async () => {
      const lines = await metrics(await leader());
      expect(lines.filter((line) => line.includes(`namespace="${cluster.namespace}"`))).to.deep.equal([]);
    });
  });

  async function startOne(kubeConfig: KubeConfig, identity: string): Promise<Operator> {
    return startOperator({
      kubeConfig,
      config: testOperatorConfig(cluster.namespace, {
        leaderElection: { namespace: cluster.namespace },
        identity,
        logLevels: { common: "info", areas: {} },
      }),
      clock: systemClock,
      log,
      onLeadershipLost: () => {},
    });
  }

  async function leading(): Promise<number[]> {
    const all = await Promise.all(operators.map(({ metricsPort }) => metrics(metricsPort)));
    return all.map((lines) => Number(lines.find((line) => line.startsWith("leader_election_master"))?.split(" ")[1]));
  }

  async function leader(): Promise<number> {
    const index = (await leading()).indexOf(1);
    const operator = operators[index];
    if (operator === undefined) throw new Error("nobody leads");
    return operator.metricsPort;
  }
});

async function get(port: number, path: string): Promise<[status: number, body: string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return [response.status, await response.text()];
}

async function metrics(port: number): Promise<string[]> {
  return (await get(port, "/metrics"))[1].split("\n");
}
