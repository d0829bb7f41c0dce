import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

import { expect } from "chai";
import * as fc from "fast-check";

import { BodyBudget, readBody } from "../../../runtime/http/body.ts";
import type { Body } from "../../../runtime/http/body.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { RuntimeProcess } from "../support/runtime-process.ts";
import { graph } from "../support/scratch.ts";
import { Serving } from "../support/serving.ts";
import { waitFor } from "../support/wait-for.ts";

const CASES = Number(process.env["FUZZ_CASES"] ?? 2000) / 80;
const MiB = 1024 ** 2;
const MANY_ROWS = 60_000;

/** What a client does with its request. */
interface Plan {
  readonly rows: number;
  readonly way: "whole" | "packed" | "twice on a connection" | "aborted";
}

const PLANS = fc.array(
  fc.record({
    rows: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: MANY_ROWS })),
    way: fc.constantFrom<Plan["way"][]>("whole", "whole", "packed", "twice on a connection", "aborted"),
  }),
  { minLength: 2, maxLength: 8 },
);

/** A row of two 16-bit floats is four bytes, here all the same one, which no other request has. */
function bodyOf({ rows }: Plan, fill: number): { body: Buffer; headers: Record<string, string>; raw: Buffer } {
  const raw = Buffer.alloc(4 * rows, fill);
  const parameters = { binary_data_size: raw.length };
  const inputs = [{ name: "x", shape: [rows, 2], datatype: "FP16", parameters }];
  const json = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const headers = {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(json.length),
  };
  return { body: Buffer.concat([json, raw]), headers, raw };
}

const INFER = "/v2/models/model/infer";

function headOf(headers: Readonly<Record<string, string>>, { length }: Buffer): Buffer {
  const fields = Object.entries({ host: "model", ...headers, "content-length": length });
  const lines = [`POST ${INFER} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

describe("The bodies of requests", () => {
  for (const [where, INLINE_RUN_MS] of [
    ["on the event loop", "1000"],
    ["in a thread", "0"],
  ] as const) {
    describe(`whose model runs ${where}`, () => {
      const serving = new Serving({ "model.onnx": graph("halves") }, { INLINE_RUN_MS });

      /** The bytes of the answer's tensor. */
      async function ask(plan: Plan, fill: number): Promise<Buffer> {
        const { body, headers } = bodyOf(plan, fill);
        const isPacked = plan.way === "packed";
        const response = await fetch(serving.url(INFER), {
          method: "POST",
          headers: { ...headers, ...(isPacked && { "content-encoding": "gzip" }) },
          body: isPacked ? gzipSync(body, { level: 1 }) : body,
        });
        expect(response.status).to.equal(200);
        return tensorOf(Buffer.from(await response.arrayBuffer()), response.headers);
      }

      /** One behind the other, without waiting for the first answer. */
      async function askTwice(plan: Plan, fill: number): Promise<Buffer[]> {
        const { body, headers } = bodyOf(plan, fill);
        const head = headOf(headers, body);
        using connection = await RawConnection.open(serving.port);
        connection.send(Buffer.concat([head, body, head, body]));
        const answers = [await connection.answer(), await connection.answer()];
        return answers.map(({ headers: fields, bytes }) => tensorOf(bytes, fields));
      }

      async function abort(plan: Plan, fill: number): Promise<void> {
        const { body, headers } = bodyOf(plan, fill);
        using connection = await RawConnection.open(serving.port);
        connection.send(headOf(headers, body));
        connection.send(body.subarray(0, body.length / 2));
        await new Promise(setImmediate);
      }

      async function carryOut(plan: Plan, fill: number): Promise<void> {
        if (plan.way === "aborted") return abort(plan, fill);
        const answers = plan.way === "twice on a connection" ? await askTwice(plan, fill) : [await ask(plan, fill)];
        const { raw } = bodyOf(plan, fill);
        for (const answer of answers) expect(answer.equals(raw), `${plan.way}, ${plan.rows} rows`).to.equal(true);
      }

      it("are never those of another, however they come together", async function () {
        this.timeout(60_000 + CASES * 1000);
        await fc.assert(
          fc.asyncProperty(PLANS, async (plans) => {
            // 0x11 to 0x59: none is NaN as a 16-bit float, whose bytes might not survive.
            await Promise.all(plans.map(async (plan, index) => carryOut(plan, 0x11 + 9 * index)));
          }),
          { numRuns: CASES },
        );
        await waitFor(async () => /ml_requests_in_flight\S* 0$/m.test(await serving.text("/metrics")));
      });

      it("cost no collection of all garbage for each few of them", async function () {
        this.timeout(60_000);
        await using runtime = new RuntimeProcess({ MODEL_URI: "test/runtime/fixtures/sums.onnx", INLINE_RUN_MS });
        await runtime.logged("ready");
        const collections = async (): Promise<number> => {
          const text = await (await fetch(await runtime.url("/metrics"))).text();
          return Number(/^nodejs_gc_duration_seconds_count\{\S*kind="major"\S* (\d+)$/m.exec(text)?.[1] ?? 0);
        };
        const parameters = { binary_data_size: 4 * MiB };
        const inputs = [{ name: "x", shape: [1, MiB], datatype: "FP32", parameters }];
        const json = Buffer.from(JSON.stringify({ inputs }));
        const headers = {
          "content-type": "application/octet-stream",
          "inference-header-content-length": String(json.length),
        };
        const body = Buffer.concat([json, Buffer.alloc(4 * MiB)]);
        const url = await runtime.url(INFER);
        const send = async (): Promise<void> => {
          const response = await fetch(url, { method: "POST", headers, body });
          expect(response.status).to.equal(200);
          await response.arrayBuffer();
        };
        await send();
        const before = await collections();
        for (let turn = 0; turn < 40; turn += 1) await send();
        expect((await collections()) - before).to.be.at.most(4);
      });
    });
  }

  describe("as a handler reads them", () => {
    const budget = new BodyBudget(4 * MiB);
    const received: Body[] = [];
    const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      received.push(await readBody(request, budget));
      response.end();
    };
    const server = createServer((request, response) => void take(request, response));
    before(async () => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    });
    after(() => server.close());

    async function read(body: Buffer, headers: Record<string, string> = {}): Promise<Body> {
      const { port } = server.address() as AddressInfo;
      const sent: ClientRequest = httpRequest({ port, host: "127.0.0.1", method: "POST", agent: false, headers });
      const [answer] = (await once(sent.end(body), "response")) as [IncomingMessage];
      await once(answer.resume(), "end");
      const [only] = received.splice(0);
      if (only === undefined) throw new Error("no body was read");
      return only;
    }

    for (const rawStart of [0, 1, 7, 8, 1001]) {
      it(`begin their binary part where numbers may, if it is after ${rawStart} bytes`, async () => {
        const whole = Buffer.alloc(MiB, "0123456789");
        using body = await read(whole, { "inference-header-content-length": String(rawStart) });
        expect(body.bytes.equals(whole)).to.equal(true);
        expect((body.bytes.byteOffset + rawStart) % 8).to.equal(0);
      });
    }

    it("are whole where the header is no number", async () => {
      const whole = Buffer.alloc(MiB, "0123456789");
      for (const header of ["x", "-1", "1e400", "0.5"]) {
        using body = await read(whole, { "inference-header-content-length": header });
        expect(body.bytes.equals(whole), header).to.equal(true);
      }
    });

    it("are gone when they are disposed of", async () => {
      for (const bytes of [Buffer.alloc(MiB, "a"), Buffer.alloc(3000, "b")]) {
        const body = await read(bytes);
        expect(body.bytes.equals(bytes)).to.equal(true);
        body[Symbol.dispose]();
        expect(body.bytes).to.have.length(0);
        body[Symbol.dispose](); // once more does nothing
      }
    });
  });
});

function tensorOf(answer: Buffer, headers: { get(name: string): string | null | undefined }): Buffer {
  return answer.subarray(Number(headers.get("inference-header-content-length")));
}
