import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

import { expect } from "chai";

import { httpSink } from "../../../runtime/prediction-log/http-sink.ts";
import type { HttpSinkOptions } from "../../../runtime/prediction-log/http-sink.ts";
import type { Line } from "../../../runtime/prediction-log/sink.ts";
import { TestServer } from "../support/http-server.ts";

interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

const OPTIONS: HttpSinkOptions = { authorization: undefined, eventsPerRequest: 1, source: "/models/m/revisions/r" };
const lines = (count: number): Line[] =>
  Array.from({ length: count }, (_, index) => {
    return { json: JSON.stringify({ number: index }), requestId: `id-${index}`, time: "2026-01-02T03:04:05.678Z" };
  });

describe("A prediction log of CloudEvents over HTTP", () => {
  let received: Received[] = [];
  let answer: (response: ServerResponse, attempt: number) => void = (response) => response.writeHead(202).end();
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ headers: request.headers, body: JSON.parse(await text(request)) });
    answer(response, received.length);
  };
  const server = new TestServer((request, response) => void receive(request, response));
  beforeEach(() => {
    received = [];
    answer = (response) => response.writeHead(202).end();
  });

  async function written(
    count: number,
    options: Partial<HttpSinkOptions> = {},
  ): ReturnType<ReturnType<typeof httpSink>["write"]> {
    const sink = httpSink(new URL(`${server.url}/events?token=abc`), { ...OPTIONS, ...options });
    try {
      return await sink.write(lines(count));
    } finally {
      await sink.close();
    }
  }

  it("sends each line in structured mode, as a JSON event with an id of its own", async () => {
    expect(await written(3, { authorization: "Bearer secret" })).to.deep.equal({ written: 3 });
    expect(received).to.have.length(3);
    for (const { headers } of received) {
      expect(headers["content-type"]).to.equal("application/cloudevents+json; charset=UTF-8");
      expect(headers.authorization).to.equal("Bearer secret");
    }
    const events = received.map(({ body }) => body as Record<string, unknown>);
    expect(new Set(events.map(({ id }) => id)).size).to.equal(3);
    const event = events.find(({ subject }) => subject === "id-1");
    expect(event?.["id"]).to.match(/^[0-9a-f]{16}-\d+$/);
    expect({ ...event, id: undefined }).to.deep.equal({
      specversion: "1.0",
      type: "dev.slipway.prediction",
      source: "/models/m/revisions/r",
      id: undefined,
      time: "2026-01-02T03:04:05.678Z",
      subject: "id-1",
      datacontenttype: "application/json",
      data: { number: 1 },
    });
  });

  it("sends several in one request in batched mode, where that is asked for", async () => {
    expect(await written(10, { eventsPerRequest: 4 })).to.deep.equal({ written: 10 });
    expect(received.map(({ headers }) => headers["content-type"])).to.deep.equal(
      Array<string>(3).fill("application/cloudevents-batch+json; charset=UTF-8"),
    );
    const sizes = received.map(({ body }) => (body as unknown[]).length);
    expect(sizes).to.have.members([4, 4, 2]);
  });

  it("tries again, with the same event, when the receiver fails or is too busy", async () => {
    const statuses = [500, 429, 202];
    answer = (response, attempt) => response.writeHead(statuses[attempt - 1] ?? 202).end("later");
    expect(await written(1)).to.deep.equal({ written: 1 });
    expect(received).to.have.length(3);
    expect(new Set(received.map(({ body }) => JSON.stringify(body))).size).to.equal(1);
  });

  it("gives up after four attempts", async function () {
    this.timeout(20_000);
    answer = (response) => response.writeHead(503, { "retry-after": "0" }).end();
    const { written: count, error } = await written(1);
    expect(count).to.equal(0);
    expect(error?.message).to.equal("the receiver answered 503");
    expect(received).to.have.length(4);
  });

  for (const status of [302, 400, 401, 413]) {
    it(`does not repeat what is answered ${status}, and follows nowhere`, async () => {
      answer = (response) => response.writeHead(status, { location: `${server.url}/elsewhere` }).end();
      expect((await written(1)).error?.message).to.equal(`the receiver answered ${status}`);
      expect(received).to.have.length(1);
    });
  }

  it("loses only what was refused", async () => {
    answer = (response, attempt) => response.writeHead(attempt === 2 ? 400 : 202).end();
    const { written: count, error } = await written(5);
    expect(count).to.equal(4);
    expect(error?.message).to.equal("the receiver answered 400");
  });

  it("reports a receiver that is down, without the address's query", async function () {
    this.timeout(20_000);
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, "close");
    const sink = httpSink(new URL(`http://127.0.0.1:${port}/?token=abc`), OPTIONS);
    const { error } = await sink.write(lines(1));
    await sink.close();
    expect(error?.message)
      .to.match(/ECONNREFUSED/)
      .and.not.include("abc");
  });

  it("gives up at once when it is closed, be it in the middle of an answer that never comes", async () => {
    answer = () => undefined;
    const sink = httpSink(new URL(server.url), OPTIONS);
    const writing = sink.write(lines(2));
    while (received.length < 2) await new Promise(setImmediate);
    await sink.close();
    expect((await writing).written).to.equal(0);
  });
});
