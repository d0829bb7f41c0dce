import { setTimeout as delay } from "node:timers/promises";

import { expect } from "chai";

import { RawConnection } from "../support/raw-connection.ts";
import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";
import { waitFor } from "../support/wait-for.ts";

const ROW = JSON.stringify({ size: 4, color: "red" });
const FILES = { "model.onnx": graph("words-and-numbers") };
const HEAD = `POST /predict HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\n`;

describe("Clients that are slow", () => {
  const serving = new Serving(FILES, { CLIENT_TIMEOUT_SECONDS: "2" });
  const inFlight = async (): Promise<string | undefined> =>
    /ml_requests_in_flight\S* (\d+)/.exec(await serving.text("/metrics"))?.[1];

  for (const [title, start] of [
    ["dribble their headers", `${HEAD}x-slow: `],
    ["dribble their body", `${HEAD}content-length: 1000000\r\n\r\n{"size": `],
    ["dribble chunks", `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\n{\r\nffff\r\n`],
    ["say no word", ""],
    ["stop in their second request", `${HEAD}content-length: ${ROW.length}\r\n\r\n${ROW}${HEAD}`],
  ] as const) {
    it(`and ${title} are cut off in time, while others are answered`, async () => {
      using connection = await RawConnection.open(serving.port);
      const end = connection.toItsEnd();
      if (start !== "") connection.send(start);
      while (!connection.isOver) {
        if (start !== "") connection.send("1");
        expect((await serving.post("/predict", ROW)).status).to.equal(200);
        await Promise.race([end, delay(50)]);
      }
      const statuses = (await end).map(({ status }) => status);
      expect(statuses.at(-1)).to.equal(408);
      await waitFor(async () => (await inFlight()) === "0");
    });
  }
});

describe("A client that does not read its answers", () => {
  const serving = new Serving({ "model.onnx": graph("identity") });
  const TYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];
  const DATATYPES = {
    ...Object.fromEntries(TYPES.map((type) => [type, type.toUpperCase()])),
    float: "FP32",
    double: "FP64",
  };

  it("gets no more made than fit between, and all of them when it reads", async () => {
    const numbers = Object.entries(DATATYPES).map(([type, datatype]) => ({
      name: `in_${type}`,
      datatype,
      shape: [1, 2],
      data: type === "bool" ? [true, false] : [0, 1],
    }));
    const words = { name: "in_string", datatype: "BYTES", shape: [1, 2], data: ["x".repeat(100_000), ""] };
    const body = JSON.stringify({ inputs: [...numbers, words], outputs: [{ name: "out_string" }] });
    const request = `${HEAD.replace("/predict", "/v2/models/model/infer")}content-length: ${body.length}\r\n\r\n${body}`;
    const sent = 800; // far more bytes than sockets buffer
    const made = async (): Promise<number> =>
      Number(/ml_prediction_latency_seconds_count\S* (\d+)/.exec(await serving.text("/metrics"))?.[1] ?? 0);

    using connection = await RawConnection.open(serving.port);
    connection.socket.pause();
    for (let count = 0; count < sent; count += 1) connection.send(request);
    let last = -1;
    await waitFor(async () => {
      const previous = last;
      last = await made();
      if (last !== previous) await delay(300); // nothing more in all this time: it has stopped
      return last === previous && last > 0;
    });
    expect(last).to.be.below(sent - 50);
    connection.socket.resume();
    for (let count = 0; count < sent; count += 1) expect((await connection.answer()).status).to.equal(200);
  });
});
