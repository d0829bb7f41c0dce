import { Client, credentials, status as Status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect } from "chai";

import * as messages from "../../../runtime/grpc/inference-messages.ts";
import { int32, message, one, string } from "../../../runtime/grpc/protobuf.ts";
import { serverStream, unaryCall } from "../support/grpc-call.ts";
import { TestServer } from "../support/http-server.ts";
import { RuntimeProcess } from "../support/runtime-process.ts";
import { waitFor } from "../support/wait-for.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const WATCH = "/grpc.health.v1.Health/Watch";
const NOTHING = Buffer.alloc(0);
const SLOW = "test/runtime/fixtures/slow.onnx"; // some 15 ms a row
const HEALTH = message("Health", { status: one(1, int32) });
const ASKED = message("Asked", { service: one(1, string) });
const [SERVING, NOT_SERVING] = [1, 2];

const rows = (count: number): Buffer =>
  messages.MODEL_INFER_REQUEST.encode({
    model_name: "model",
    inputs: [
      {
        name: "x",
        datatype: "FP32",
        shape: [BigInt(count), 1n],
        contents: { fp32_contents: Array.from({ length: count }, () => 1) },
      },
    ],
  });

async function connected(runtime: RuntimeProcess): Promise<Client & Disposable> {
  const { port } = await runtime.logged("listening for gRPC");
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

async function codeOf(call: Promise<unknown>): Promise<Status> {
  return call.then(
    () => Status.OK,
    (error: ServiceError) => error.code,
  );
}

async function metric(runtime: RuntimeProcess, name: string): Promise<number> {
  const text = await (await fetch(await runtime.url("/metrics"))).text();
  return Number(new RegExp(`^${name}\\S* (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

describe("A runtime's gRPC", function () {
  this.timeout(60_000);
  const silent = new TestServer(() => undefined);

  it("is alive but not ready, and refuses calls, as long as there is no model", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: `${silent.url}/model.onnx`, GRPC_PORT: "0" });
    using client = await connected(runtime);
    const ask = (method: string): Promise<Buffer> =>
      unaryCall(client, `/inference.GRPCInferenceService/${method}`, NOTHING);
    expect(messages.SERVER_LIVE_RESPONSE.decode(await ask("ServerLive")).live).to.equal(true);
    expect(messages.SERVER_READY_RESPONSE.decode(await ask("ServerReady")).ready).to.equal(false);
    expect(HEALTH.decode(await unaryCall(client, "/grpc.health.v1.Health/Check", NOTHING)).status).to.equal(
      NOT_SERVING,
    );
    expect(await codeOf(unaryCall(client, INFER, rows(1)))).to.equal(Status.UNAVAILABLE);
  });

  it("refuses calls beyond those that may be in flight, and HTTP's with them", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: SLOW, GRPC_PORT: "0", MAX_QUEUE: "4" });
    using client = await connected(runtime);
    await runtime.logged("ready");
    const running = Array.from({ length: 4 }, () => unaryCall(client, INFER, rows(10)));
    await waitFor(async () => (await metric(runtime, "ml_requests_in_flight")) === 4);
    expect(await codeOf(unaryCall(client, INFER, rows(1)))).to.equal(Status.UNAVAILABLE);
    const headers = { "content-type": "application/json" };
    const refused = await fetch(await runtime.url("/predict"), { method: "POST", headers, body: '{"x":1}' });
    expect([refused.status, refused.headers.get("retry-after")]).to.deep.equal([503, "1"]);
    await Promise.all(running);
    expect(await codeOf(unaryCall(client, INFER, rows(1)))).to.equal(Status.OK);
  });

  it("tells its watchers of the drain, answers what comes and what began, and ends with 0", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: SLOW, GRPC_PORT: "0", DRAIN_SECONDS: "60" });
    using client = await connected(runtime);
    await runtime.logged("ready");
    const watch = serverStream(client, WATCH, ASKED.encode({ service: "" }));
    const next = async (): Promise<number | undefined> => {
      const { done, value } = await watch.next();
      return done === true ? undefined : HEALTH.decode(value).status;
    };
    expect(await next()).to.equal(SERVING);
    const long = unaryCall(client, INFER, rows(20));
    await waitFor(async () => (await metric(runtime, "ml_requests_in_flight")) === 1);
    runtime.signal("SIGTERM");
    expect(await next()).to.equal(NOT_SERVING);
    const late = unaryCall(client, INFER, rows(1));
    await waitFor(async () => (await metric(runtime, "ml_requests_in_flight")) === 2);
    runtime.signal("SIGTERM"); // not to wait out the minute
    expect(await next(), "the end of the watch").to.equal(undefined);
    for (const answer of [await long, await late])
      expect(messages.MODEL_INFER_RESPONSE.decode(answer).outputs).to.have.length(1);
    expect(await runtime.exited, runtime.log).to.equal(0);
  });
});
