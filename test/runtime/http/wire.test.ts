import { expect } from "chai";

import { RawConnection } from "../support/raw-connection.ts";
import { Serving } from "../support/serving.ts";
import { graph } from "../support/scratch.ts";
import { waitFor } from "../support/wait-for.ts";

const ROW = JSON.stringify({ size: 4, color: "red" });
const FILES = { "model.onnx": graph("words-and-numbers") };

function head(headers: Readonly<Record<string, string | number>>, line = "POST /predict HTTP/1.1"): string {
  const fields = Object.entries({ host: "model", "content-type": "application/json", ...headers });
  return `${[line, ...fields.map(([name, value]) => `${name}: ${value}`)].join("\r\n")}\r\n\r\n`;
}
const whole = (body: string, line?: string): string => head({ "content-length": Buffer.byteLength(body) }, line) + body;
const chunked = (...chunks: readonly string[]): string =>
  head({ "transfer-encoding": "chunked" }) +
  [...chunks, ""].map((chunk) => `${Buffer.byteLength(chunk).toString(16)}\r\n${chunk}\r\n`).join("");

describe("Over one connection", () => {
  const serving = new Serving(FILES, { MAX_BODY_BYTES: "65536" });

  async function answersTo(bytes: string | Uint8Array, count: number): Promise<(readonly [number, unknown])[]> {
    using connection = await RawConnection.open(serving.port);
    connection.send(bytes);
    const answers: (readonly [number, unknown])[] = [];
    for (let index = 0; index < count; index += 1) {
      const { status, body } = await connection.answer();
      answers.push([status, (JSON.parse(body) as { prediction?: unknown }).prediction]);
    }
    return answers;
  }

  it("requests that were sent without waiting are answered in their order, and a bad one fails alone", async () => {
    const rows = Array.from({ length: 40 }, (_, size) => whole(JSON.stringify({ size, color: "red" })));
    const bytes = rows.flatMap((row, index) => (index % 10 === 5 ? [whole("{}"), row] : [row])).join("");
    const answers = await answersTo(bytes, 44);
    expect(answers.filter(([status]) => status === 422)).to.have.length(4);
    const predictions = answers.filter(([status]) => status === 200).map(([, prediction]) => prediction);
    expect(predictions).to.have.length(rows.length);
    predictions.forEach((prediction, size) => expect(prediction).to.be.closeTo(1 + Math.sqrt(size), 1e-5));
  });

  it("slow and quick endpoints keep their order, too", async () => {
    using connection = await RawConnection.open(serving.port);
    const health = head({}, "GET /health HTTP/1.1");
    connection.send([whole(ROW), health, whole(ROW, "POST /nowhere HTTP/1.1"), health, whole(ROW)].join(""));
    const statuses: number[] = [];
    for (let index = 0; index < 5; index += 1) statuses.push((await connection.answer()).status);
    expect(statuses).to.deep.equal([200, 200, 404, 200, 200]);
  });

  it("a request may come byte by byte, chunk by chunk, or ask first whether it may be sent", async () => {
    for (const bytes of [whole(ROW), chunked(...ROW.split("")), chunked(ROW.slice(0, 9), ROW.slice(9))]) {
      using connection = await RawConnection.open(serving.port);
      for (const byte of Buffer.from(bytes)) {
        connection.send(Uint8Array.of(byte));
        await new Promise(setImmediate);
      }
      expect((await connection.answer()).status).to.equal(200);
    }
    using polite = await RawConnection.open(serving.port);
    polite.send(head({ "content-length": ROW.length, expect: "100-continue" }));
    expect((await polite.answer()).status).to.equal(100);
    polite.send(ROW);
    expect((await polite.answer()).status).to.equal(200);
  });

  it("an old client gets its answer, then the end", async () => {
    using connection = await RawConnection.open(serving.port);
    connection.send(whole(ROW, "POST /predict HTTP/1.0"));
    expect((await connection.toItsEnd()).map(({ status }) => status)).to.deep.equal([200]);
  });

  // Where a proxy and a server disagree on a request's end, a client can smuggle one in (RFC 9112, 6.3 and 11.2).
  const smuggled = whole(ROW);
  for (const [title, bytes] of [
    ["two lengths", `${head({ "content-length": `${ROW.length}\r\ncontent-length: 5` })}${ROW}`],
    ["a list of lengths", `${head({ "content-length": `${ROW.length}, 5` })}${ROW}`],
    ["a length and chunks", `${head({ "content-length": 4, "transfer-encoding": "chunked" })}0\r\n\r\n${smuggled}`],
    ["a negative length", `${head({ "content-length": -1 })}${ROW}`],
    ["a signed length", `${head({ "content-length": `+${ROW.length}` })}${ROW}`],
    ["a length in hexadecimal", `${head({ "content-length": "0x10" })}${ROW}`],
    ["a length beyond all numbers", `${head({ "content-length": "9".repeat(30) })}${ROW}`],
    ["an encoding after chunked", `${head({ "transfer-encoding": "chunked, gzip" })}0\r\n\r\n${smuggled}`],
    ["an unknown transfer encoding", `${head({ "transfer-encoding": "xchunked" })}0\r\n\r\n${smuggled}`],
    ["a chunk whose size is no number", `${head({ "transfer-encoding": "chunked" })}zz\r\n${ROW}\r\n0\r\n\r\n`],
    ["a chunk of another size than announced", `${head({ "transfer-encoding": "chunked" })}3\r\n${ROW}\r\n0\r\n\r\n`],
    ["a chunk beyond all numbers", `${head({ "transfer-encoding": "chunked" })}${"f".repeat(20)}\r\n${ROW}`],
    ["a space before a colon", head({ "content-length ": ROW.length }) + ROW],
    ["a folded header", head({ "x-a": "1\r\n 2", "content-length": ROW.length }) + ROW],
    ["a NUL in a header", head({ "x-a": "a\0b", "content-length": ROW.length }) + ROW],
    ["a bare carriage return in a header", head({ "x-a": "a\rb", "content-length": ROW.length }) + ROW],
    ["a header without a name", head({ "": "x", "content-length": ROW.length }) + ROW],
    ["another protocol's version", whole(ROW, "POST /predict HTTP/3.7")],
    ["a method that is none", whole(ROW, "PO{ST /predict HTTP/1.1")],
    ["a request line of one word", whole(ROW, "POST")],
    ["a TLS greeting", Buffer.from("16030100a5010000a10303", "hex")],
    ["HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ] as const) {
    it(`${title} is refused, and nothing after it is taken for a request`, async () => {
      using connection = await RawConnection.open(serving.port);
      connection.send(bytes);
      connection.socket.end();
      const answers = await connection.toItsEnd();
      expect(answers.map(({ status }) => status)).to.deep.equal([400]);
      expect(JSON.parse(answers[0]?.body ?? "")).to.have.property("error");
      expect(answers[0]?.headers.get("connection")).to.equal("close");
    });
  }

  it("a request without a host is refused", async () => {
    using connection = await RawConnection.open(serving.port);
    connection.send(`POST /predict HTTP/1.1\r\ncontent-length: ${ROW.length}\r\n\r\n${ROW}`);
    const { status, headers } = await connection.answer();
    expect([status, headers.get("connection")]).to.deep.equal([400, "close"]);
  });

  it("headers beyond 16 KiB are refused with 431, in one or in many", async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x-${index}`, "y".repeat(50)]));
    for (const headers of [{ "x-large": "x".repeat(20_000) }, many]) {
      using connection = await RawConnection.open(serving.port);
      connection.send(head({ ...headers, "content-length": ROW.length }) + ROW);
      expect((await connection.toItsEnd()).map(({ status }) => status)).to.deep.equal([431]);
    }
    using usual = await RawConnection.open(serving.port);
    const cookies = { cookie: "c".repeat(8_000), "content-length": ROW.length };
    usual.send(head(cookies) + ROW);
    expect((await usual.answer()).status).to.equal(200);
  });

  it("a body that says of itself that it is too large is refused before it comes", async () => {
    using connection = await RawConnection.open(serving.port);
    connection.send(head({ "content-length": 10 ** 12 }));
    expect((await connection.answer()).status).to.equal(413);
  });

  it("nothing is left in flight by all of this", () =>
    waitFor(async () => /^ml_requests_in_flight\S* 0$/m.test(await serving.text("/metrics"))));
});
