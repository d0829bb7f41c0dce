import { expect } from "chai";
import { EventRecorder } from "../../../operator/kube/events.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { KubeTransport } from "../../../operator/kube/transport.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { eventually } from "./eventually.ts";
import { RecordingLog } from "./recording-log.ts";
import { kubeConfigFor, ScriptedServer, sendJson, sendStatus } from "./scripted-server.ts";

interface WrittenEvent {
  message: string;
  count: number;
  involvedObject: { name: string };
  metadata: { name: string };
}

describe("EventRecorder", () => {
  let clock: FakeClock;
  let log: RecordingLog;
  let server: ScriptedServer;
  let client: KubeTransport;
  let recorder: EventRecorder;
  let mode: "works" | "refuses" | "hangs" | "forgets";

  beforeEach(async () => {
    clock = new FakeClock();
    log = new RecordingLog();
    mode = "works";
    server = await ScriptedServer.start(({ method, body }, response) => {
      if (mode === "refuses") sendStatus(response, 403, "Forbidden", "namespace is being terminated");
      else if (mode === "forgets" && method === "PATCH") sendStatus(response, 404, "NotFound", "no such event");
      else if (mode !== "hangs") sendJson(response, body);
    });
    client = new KubeTransport(kubeConfigFor(server.url), { userAgent: "tests" });
    recorder = new EventRecorder({ client, component: "slipway-operator", instance: "pod-1", clock, log });
  });

  afterEach(async () => {
    const stopped = recorder.stop();
    await clock.advance(2_000);
    await stopped;
    await client.close();
    await server[Symbol.asyncDispose]();
  });

  const model = (name = "loan"): KubeObject => ({
    apiVersion: "serving.slipway.dev/v1alpha1",
    kind: "ModelDeployment",
    metadata: { namespace: "credit", name, uid: `uid-${name}`, resourceVersion: "7" },
  });
  const ready = { type: "Normal", reason: "Ready", message: "all versions serve" } as const;
  const written = () => server.requests.map(({ body }) => body as WrittenEvent);
  const writes = (count: number) => eventually(`${count} events were written`, () => server.requests.length >= count);

  it("writes an Event that names the object, the time and who says so", async () => {
    recorder.record(model(), ready);
    await writes(1);
    const { metadata, ...event } = written()[0]!;
    expect(server.requests[0]).to.include({ method: "POST", path: "/api/v1/namespaces/credit/events" });
    expect(metadata.name).to.match(/^loan\.[0-9a-f]{16}$/);
    expect(event).to.deep.equal({
      apiVersion: "v1",
      kind: "Event",
      involvedObject: {
        apiVersion: "serving.slipway.dev/v1alpha1",
        kind: "ModelDeployment",
        namespace: "credit",
        name: "loan",
        uid: "uid-loan",
        resourceVersion: "7",
      },
      ...ready,
      count: 1,
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      source: { component: "slipway-operator", host: "pod-1" },
      reportingComponent: "slipway-operator",
      reportingInstance: "pod-1",
    });
  });

  it("counts a repetition up instead of writing it again", async () => {
    recorder.record(model(), ready);
    await writes(1);
    await clock.advance(5_000);
    recorder.record(model(), ready);
    await writes(2);
    const [first, second] = server.requests;
    expect(second).to.include({ method: "PATCH" });
    expect(second!.path).to.equal(`${first!.path}/${written()[0]!.metadata.name}`);
    expect(second!.body).to.deep.equal({ count: 2, lastTimestamp: "2026-01-01T00:00:05Z" });
  });

  it("counts together what is recorded in one go", async () => {
    for (let time = 0; time < 3; time++) recorder.record(model(), ready);
    await recorder.stop();
    expect(written().map(({ count }) => count)).to.deep.equal([3]);
  });

  it("keeps apart other words and other objects", async () => {
    recorder.record(model(), ready);
    recorder.record(model(), { ...ready, message: "other words" });
    recorder.record(model("fraud"), ready);
    await writes(3);
    expect(server.requests.map(({ method }) => method)).to.deep.equal(["POST", "POST", "POST"]);
  });

  it("writes anew when the server has forgotten the Event that it would count up", async () => {
    recorder.record(model(), ready);
    await writes(1);
    mode = "forgets";
    recorder.record(model(), ready);
    await writes(3);
    expect(server.requests.map(({ method }) => method)).to.deep.equal(["POST", "PATCH", "POST"]);
    expect(written()[2]).to.include({ count: 1 });
  });

  it("lets 25 at once through about one object, then one in five minutes, and others undisturbed", async () => {
    const flap = (times: number) => {
      for (let time = 0; time < times; time++) {
        recorder.record(model(), { ...ready, message: `${clock.now()} flap ${time}` });
      }
    };
    flap(40);
    recorder.record(model("fraud"), ready);
    await writes(26);
    await clock.advance(300_000);
    flap(5);
    await writes(27);
    await recorder.stop();
    const about = written().map(({ involvedObject }) => involvedObject.name);
    expect(about.filter((name) => name === "loan").length).to.equal(26);
    expect(about.filter((name) => name === "fraud").length).to.equal(1);
  });

  it("cuts a message at 1024 bytes, between characters", async () => {
    recorder.record(model(), { ...ready, message: "ü".repeat(600) });
    await writes(1);
    const { message } = written()[0]!;
    expect(Buffer.byteLength(message)).to.be.within(1020, 1024);
    expect(message).to.match(/^ü+…$/);
  });

  it("logs an Event that cannot be written, and goes on", async () => {
    mode = "refuses";
    recorder.record(model(), ready);
    await eventually("the refusal was logged", () => log.lines.length === 1);
    expect(log.lines[0]).to.include({ level: "warn", message: "event not written" });
    mode = "works";
    recorder.record(model(), ready);
    await writes(2);
    expect(written()[1]).to.include({ count: 1 });
  });

  it("writes what is waiting before it stops, and takes no more", async () => {
    recorder.record(model(), ready);
    recorder.record(model(), { ...ready, reason: "Other" });
    await recorder.stop();
    recorder.record(model(), { ...ready, reason: "Late" });
    expect(written().length).to.equal(2);
  });

  it("waits no longer than two seconds for a server that hangs when it stops", async () => {
    mode = "hangs";
    recorder.record(model(), ready);
    await writes(1);
    let stopped = false;
    const stopping = recorder.stop().then(() => (stopped = true));
    await clock.advance(1_999);
    expect(stopped).to.equal(false);
    await clock.advance(1);
    await stopping;
  });
});
