import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";

import { status as Status } from "@grpc/grpc-js";
import { expect } from "chai";
import * as fc from "fast-check";

import { MODEL_INFER_REQUEST } from "../../runtime/grpc/inference-messages.ts";
import { CASES, Holdings, check } from "./support/fuzz.ts";
import { Serving } from "./support/serving.ts";
import { graph } from "./support/scratch.ts";
import { waitFor } from "./support/wait-for.ts";

const ROW = { size: 4, color: "red" };
const MAX_BODY_BYTES = 65_536;
const ANSWERED: readonly number[] = [Status.OK, Status.INVALID_ARGUMENT, Status.NOT_FOUND];

function request(path: string, body: Uint8Array | string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const bytes = Buffer.from(body as string);
  const all = { host: "model", "content-type": "application/json", "content-length": bytes.length, ...headers };
  const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${fields.join("")}\r\n`), bytes]);
}

/** One of each kind of request that is answered 200. */
function requests(): readonly Buffer[] {
  const row = JSON.stringify(ROW);
  const many = JSON.stringify({ instances: Array.from({ length: 500 }, () => ROW) });
  const tensor = (name: string, datatype: string, size: number): object => ({
    name,
    datatype,
    shape: [1, 1],
    parameters: { binary_data_size: size },
  });
  const inputs = [tensor("size", "FP32", 4), tensor("color", "BYTES", 7)];
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const raw = Buffer.concat([Buffer.from(Float32Array.of(4).buffer), Buffer.from("\x03\0\0\0red")]);
  const header = { "inference-header-content-length": String(json.length) };
  const chunks = "POST /predict HTTP/1.1\r\nhost: model\r\ntransfer-encoding: chunked\r\n\r\n";
  const plain = request("/predict", row);
  return [
    plain,
    Buffer.concat([plain, plain, plain]),
    request("/predict", many),
    request("/predict", gzipSync(many), { "content-encoding": "gzip" }),
    request("/v2/models/model/infer", Buffer.concat([json, raw]), header),
    Buffer.from(`${chunks}${row.length.toString(16)}\r\n${row}\r\n0\r\n\r\n`),
  ];
}

describe("Whoever goes away", function () {
  this.timeout(120_000 + CASES * 20);
  const serving = new Serving(
    { "model.onnx": graph("words-and-numbers") },
    { GRPC_PORT: "0", MAX_BODY_BYTES: String(MAX_BODY_BYTES) },
  );
  let held: Holdings;
  let session: ClientHttp2Session;
  before(async () => {
    await Promise.all(Array.from({ length: 50 }, () => serving.post("/predict", ROW)));
    session = connectHttp2(`http://127.0.0.1:${serving.grpcPort}`);
    expect(await codeOf(message())).to.equal(Status.OK);
    held = new Holdings();
  });
  after(() => session.close());

  const neighbour = async (): Promise<void> => {
    const { status, json } = await serving.post("/predict", ROW);
    expect([status, json["prediction"]]).to.deep.equal([200, 3]);
  };

  const message = (): Buffer =>
    MODEL_INFER_REQUEST.encode({
      model_name: "model",
      inputs: [
        { name: "size", datatype: "FP32", shape: [1n, 1n] },
        { name: "color", datatype: "BYTES", shape: [1n, 1n] },
      ],
      raw_input_contents: [new Uint8Array(Float32Array.of(4).buffer), Buffer.from("\x03\0\0\0red")],
    });

  /** The code of a call whose frame is `prefix` (five bytes in gRPC) and `bytes`. */
  async function codeOf(bytes: Uint8Array, { flag = 0, length = bytes.length, headers = {} } = {}): Promise<number> {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt8(flag);
    prefix.writeUInt32BE(length, 1);
    const call = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelInfer",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let code: string | undefined;
    const note = (given: Readonly<Record<string, unknown>>): void => {
      code ??= given["grpc-status"] as string | undefined;
    };
    call.on("response", note).on("trailers", note).resume();
    call.on("error", () => undefined); // reset after its status
    call.end(Buffer.concat([prefix, bytes]));
    await once(call, "close");
    return Number(code);
  }

  it("at any byte of a request, or in the middle of the answer, disturbs nobody", async () => {
    const sent = requests();
    const place = fc.nat(sent.length - 1).chain((index) =>
      fc.record({
        bytes: fc.constant(sent[index] as Buffer),
        cut: fc.nat((sent[index] as Buffer).length),
        way: fc.constantFrom("finish", "destroy", "reset", "reset when the answer begins"),
      }),
    );
    await check(place, 0.4, async ({ bytes, cut, way }) => {
      const socket = connect({ port: serving.port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      const closed = new Promise((resolve) => {
        socket.once("close", resolve);
      });
      await once(socket, "connect");
      const nextDoor = neighbour();
      if (way === "reset when the answer begins") {
        socket.once("data", () => socket.resetAndDestroy());
        socket.write(bytes);
      } else {
        socket.resume().write(bytes.subarray(0, cut), () => {
          if (way === "finish") socket.end();
          else if (way === "destroy") socket.destroy();
          else socket.resetAndDestroy();
        });
      }
      await Promise.all([nextDoor, closed]);
    });
  });

  it("in the middle of a gRPC call disturbs nobody", () =>
    check(fc.tuple(fc.nat(message().length), fc.boolean()), 0.1, async ([cut, whole]) => {
      const own = connectHttp2(`http://127.0.0.1:${serving.grpcPort}`);
      own.on("error", () => undefined);
      const path = "/inference.GRPCInferenceService/ModelInfer";
      const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
      const call = own.request(headers);
      call.on("error", () => undefined);
      const closed = once(own, "close");
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message().length, 1);
      call.write(Buffer.concat([prefix, message().subarray(0, cut)]), () => (whole ? own.close() : own.destroy()));
      if (whole) call.close();
      await Promise.all([neighbour(), closed]);
    }));

  it("or sends half a gRPC message, or one whose tensors lie about their sizes, is refused", async () => {
    const lies = fc
      .tuple(
        fc.uint8Array({ maxLength: 12 }),
        fc.uint8Array({ maxLength: 12 }),
        fc.array(fc.bigInt(-2n, 4n), { maxLength: 3 }),
      )
      .map(([first, second, shape]) =>
        MODEL_INFER_REQUEST.encode({
          model_name: "model",
          inputs: [
            { name: "size", datatype: "FP32", shape },
            { name: "color", datatype: "BYTES", shape },
          ],
          raw_input_contents: [first, second],
        }),
      );
    const halves = fc.nat(message().length).map((end) => message().subarray(0, end));
    await check(fc.oneof(lies, halves), 0.3, async (bytes) => {
      expect(ANSWERED).to.include(await codeOf(bytes));
    });
  });

  it("or sends frames that are none of gRPC's is refused", async () => {
    const frame = fc.record({
      bytes: fc.uint8Array({ maxLength: 60 }),
      flag: fc.constantFrom(0, 1, 2, 255),
      length: fc.oneof(fc.nat(70), fc.constantFrom(0x7fffffff, 0xffffffff)),
      headers: fc.constantFrom({}, { "grpc-encoding": "gzip" }, { "grpc-encoding": "none such" }),
    });
    await check(frame, 0.2, async ({ bytes, ...rest }) => {
      expect(await codeOf(bytes, rest), JSON.stringify(rest)).to.not.equal(Status.OK);
    });
    expect(await codeOf(message())).to.equal(Status.OK);
  });

  it("or sends more than it may, packed or not, costs no more than that", async () => {
    const bomb = gzipSync(Buffer.alloc(32 * 1024 ** 2, " "));
    expect(bomb.length).to.be.below(MAX_BODY_BYTES);
    const packed = { "content-encoding": "gzip" };
    const answers = Array.from({ length: 40 }, () => serving.post("/predict", bomb, packed));
    for (const { status } of await Promise.all(answers)) expect(status).to.equal(413);
    const tooMuch = randomBytes(MAX_BODY_BYTES + 1);
    expect(await codeOf(tooMuch)).to.equal(Status.RESOURCE_EXHAUSTED);
    expect(await codeOf(bomb, { flag: 1, headers: { "grpc-encoding": "gzip" } })).to.equal(Status.RESOURCE_EXHAUSTED);
  });

  it("leaves nothing behind", async () => {
    const metrics = (): Promise<string> => serving.text("/metrics");
    await waitFor(async () => /^ml_requests_in_flight\S* 0$/m.test(await metrics()));
    expect(await metrics()).to.match(/^ml_queue_length\S* 0$/m);
    expect(await metrics()).to.not.match(/reason="internal"/);
    await neighbour();
    await held.expectNoMore();
  });
});
