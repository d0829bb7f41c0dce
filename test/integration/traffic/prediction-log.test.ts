import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { configMaps } from "../../../operator/kube/objects.ts";
import { eventually } from "../../support/eventually.ts";
import { twoVersions } from "../objects/fixture.ts";
import { predictForUsers } from "./clients.ts";
import { startRunningSystem, sticky } from "./running-system.ts";
import type { RunningSystem } from "./running-system.ts";

const secrets = { ...configMaps, plural: "secrets", kind: "Secret" };

interface Event {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

describe("the prediction log of two versions", function () {
  this.timeout(120_000);
  let running: RunningSystem;
  const events: Event[] = [];
  const tokens = new Set<string | undefined>();
  const receive = async (request: IncomingMessage): Promise<void> => {
    tokens.add(request.headers.authorization);
    events.push(JSON.parse(await text(request)) as Event);
  };
  const receiver = createServer((request, response) => {
    void receive(request).finally(() => response.writeHead(202).end());
  });

  before(async () => {
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    running = await startRunningSystem();
  });
  after(async () => {
    await running?.close();
    receiver.closeAllConnections();
    receiver.close();
  });

  it("says which user met which version and revision, and keeps what is redacted to itself", async () => {
    const { fixture, fronts, cluster } = running;
    const secret = fixture.object("v1", "Secret", "events", {
      stringData: { LOG_PREDICTIONS_AUTHORIZATION: "Bearer of-the-log" },
    });
    await fixture.create(secrets, secret);
    const { port } = receiver.address() as AddressInfo;
    const predictionLog = { sink: `http://127.0.0.1:${port}/`, redact: ["income"], secretRef: { name: "events" } };
    await fixture.apply("loan", { ...twoVersions(50, 50, sticky), serving: { predictionLog } });
    const { status } = await fixture.ready("loan", 60_000);
    const users = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    const met = await predictForUsers(await fronts.portOf(cluster.namespace, "loan"), users);
    await eventually(() => expect(events).to.have.length(users.length));

    const revisions = new Map(status?.revisions?.map(({ version, revision }) => [version, revision]));
    for (const { type, data } of events) {
      expect(type).to.equal("dev.slipway.prediction");
      const version = met.get(String(data["key"]));
      expect(data).to.include({ model: "loan", model_variant: version, revision: revisions.get(version ?? "") });
      expect(data["inputs"]).to.have.nested.property("[0].income", "[redacted]");
    }
    expect(events.map(({ data }) => data["key"])).to.have.members(users);
    expect([...tokens]).to.deep.equal(["Bearer of-the-log"]);
  });
});
