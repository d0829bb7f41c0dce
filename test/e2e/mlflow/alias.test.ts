import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { expect } from "chai";

import { deployments } from "../../../operator/kube/objects.ts";
import type { Operator } from "../../../operator/operator.ts";
import { condition, Fixture } from "../../integration/objects/fixture.ts";
import { Scratch } from "../../runtime/support/scratch.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { MlflowServer } from "./mlflow-server.ts";
import { secrets } from "../../support/resource-types.ts";

const TOKEN = "only-those-who-know-it";

// Needs the Python of an environment with requirements.txt, in MLFLOW_PYTHON.
describe("A version that follows an alias of MLflow", function () {
  this.timeout(120_000);
  const scratch = new Scratch();
  let mlflow: MlflowServer;
  let gate: Gate;
  let cluster: TestCluster;
  let fixture: Fixture;
  let operator: Operator;

  before(async () => {
    mlflow = await MlflowServer.start(process.env["MLFLOW_PYTHON"] ?? "", scratch);
    gate = await Gate.start(mlflow.url);
    await mlflow.call("registered-models/create", { name: "Loan" });
    for (const version of ["1", "2"]) {
      await mlflow.call("model-versions/create", { name: "Loan", source: `s3://models/loan/${version}/` });
      if (version === "1") await setAlias("1");
    }
    cluster = await startTestCluster("instant");
    fixture = new Fixture(cluster);
    const data = { MLFLOW_TRACKING_TOKEN: Buffer.from(TOKEN).toString("base64") };
    await fixture.create(secrets, fixture.object("v1", "Secret", "mlflow-auth", { data }));
    operator = await cluster.startOperator({ mlflowPollSeconds: 1 });
  });
  after(async () => {
    await operator?.stop();
    await cluster?.close();
    await gate?.close();
    await mlflow?.close();
  });

  const setAlias = (version: string): Promise<unknown> =>
    mlflow.call("registered-models/alias", { name: "Loan", alias: "champion", version });
  const following = (more: object = {}): object => ({
    source: {
      uri: "models:/Loan@champion",
      mlflow: { trackingUri: gate.url, secretRef: { name: "mlflow-auth" }, ...more },
    },
  });
  const artifacts = async (): Promise<(string | undefined)[]> =>
    (await fixture.list(deployments)).map((child) => /"MODEL_URI","value":"([^"]*)"/.exec(JSON.stringify(child))?.[1]);
  const written = async (): Promise<string[]> =>
    (await fixture.list(deployments)).map(({ metadata }) => `${metadata.uid} ${metadata.generation}`);

  it("serves the version that the alias names, which the status pins", async () => {
    await fixture.apply("loan", following());
    const object = await fixture.ready("loan");
    expect(await artifacts()).to.deep.equal(["models:/Loan/1"]);
    expect(object.status?.revisions?.[0]).to.include({ uri: "models:/Loan@champion", artifact: "models:/Loan/1" });
  });

  it("gets a new revision when the alias moves, and the old one goes", async () => {
    await setAlias("2");
    await fixture.until(
      "loan",
      ({ status }) => status?.revisions?.length === 1 && status.revisions[0]?.artifact === "models:/Loan/2",
    );
    expect(await artifacts()).to.deep.equal(["models:/Loan/2"]);
  });

  it("stays as it is while the registry is away, also when the operator restarts, and says so until it is back", async () => {
    const before = await written();
    await gate.shut();
    await operator.stop();
    operator = await cluster.startOperator({ mlflowPollSeconds: 1 });
    const stale = await fixture.until("loan", (object) => condition(object, "AliasStale")?.status === "True");
    expect(condition(stale, "AliasStale")?.message).to.contain("ECONNREFUSED");
    expect(condition(stale, "Ready")?.status).to.equal("True");
    await setAlias("1"); // unseen
    expect(await written()).to.deep.equal(before);
    await gate.open();
    await fixture.until(
      "loan",
      (object) =>
        condition(object, "AliasStale") === undefined && object.status?.revisions?.[0]?.artifact === "models:/Loan/1",
    );
  });

  it("is refused without the right credentials, and says so without showing them", async () => {
    const data = { MLFLOW_TRACKING_TOKEN: Buffer.from("a wrong one").toString("base64") };
    await fixture.create(secrets, fixture.object("v1", "Secret", "wrong", { data }));
    await fixture.apply("wrong", following({ secretRef: { name: "wrong" } }));
    const object = await fixture.until("wrong", (each) => condition(each, "Stalled") !== undefined);
    expect(condition(object, "Stalled")).to.include({ reason: "AccessDenied" });
    expect(JSON.stringify(object.status)).to.not.contain("a wrong one");
    await fixture.patch(secrets, "wrong", {
      data: { MLFLOW_TRACKING_TOKEN: Buffer.from(TOKEN).toString("base64") },
    });
    await fixture.ready("wrong");
  });
});

/** Lets requests through to MLflow that bear the token; can be shut, so that nobody listens at its address. */
class Gate {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(target: string): Promise<Gate> {
    const server = createServer((request, response) => {
      if (request.headers.authorization !== `Bearer ${TOKEN}`) {
        response.writeHead(401).end();
        return;
      }
      void fetch(new URL(request.url ?? "/", target)).then(
        async (answer) => response.writeHead(answer.status).end(await answer.text()),
        (error: Error) => response.writeHead(502).end(error.message),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Gate(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async shut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  open(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(Number(new URL(this.url).port), "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.shut();
  }
}
