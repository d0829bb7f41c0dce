import { once } from "node:events";
import { Agent, createServer as createHttpServer, request } from "node:http";
import type { Server as HttpServer, IncomingMessage } from "node:http";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

import { expect } from "chai";
import * as fc from "fast-check";

import { answerHot } from "../../../runtime/http/answer-hot.ts";
import { BodyBudget } from "../../../runtime/http/body.ts";
import { DirectConnections } from "../../../runtime/http/direct/connections.ts";
import type { HotEndpoint } from "../../../runtime/http/hot-endpoint.ts";
import { RequestError } from "../../../runtime/http/request-error.ts";
import { refuse } from "../../../runtime/http/refuse.ts";
import { waitFor } from "../support/wait-for.ts";

const CASES = Number(process.env["FUZZ_CASES"] ?? 2000) / 20;
const KEEP_ALIVE_MS = 620_000;

/** Answers with what it understood of the request, a turn later. */
const echo: HotEndpoint = async ({ method, url, headers }, body) => {
  const bytes = typeof body === "function" ? await body().catch((error: RequestError) => error) : body;
  if (bytes instanceof RequestError) return { status: bytes.status, headers: bytes.headers, json: "{}" };
  await new Promise(setImmediate);
  const json = JSON.stringify({ method, url, headers, body: bytes.toString("latin1") });
  if (headers["x-raw"] !== undefined) return { status: 200, headers: {}, json, raw: [bytes, bytes] };
  const status = headers["x-status"] === "422" ? 422 : 200;
  return { status, headers: { "x-request-id": "1" }, json };
};

/** node:http alone. */
function nodeServer(endpoint: HotEndpoint, bodies: BodyBudget): HttpServer {
  const server = createHttpServer((asked, response) => {
    if (asked.url?.split("?")[0] === "/echo") void answerHot(endpoint, bodies, asked, response);
    else response.writeHead(404, { "content-length": 0 }).end();
  });
  server.on("clientError", (_, socket) => refuse(socket, "400 Bad Request"));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

interface Options {
  readonly endpoint?: HotEndpoint;
  readonly bodies?: BodyBudget;
  readonly isLast?: () => boolean;
  readonly timeouts?: Partial<Record<"head" | "body" | "flush" | "keepAlive", number>>;
}

/** Direct connections that become node:http's where they must. */
class Direct {
  readonly connections: DirectConnections;
  readonly bodies: BodyBudget;
  handedOver = 0;
  readonly #node: HttpServer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor({ endpoint = echo, bodies = new BodyBudget(1_000_000), isLast = () => false, timeouts }: Options = {}) {
    this.bodies = bodies;
    this.#node = nodeServer(endpoint, bodies);
    const long = { head: 60_000, body: 60_000, flush: 60_000, keepAlive: KEEP_ALIVE_MS };
    const options = {
      route: (path: string) => (path === "/echo" ? endpoint : undefined),
      bodies,
      isLast,
      handOver: (socket: Socket) => {
        this.handedOver += 1;
        this.#node.emit("connection", socket);
      },
      timeouts: { ...long, ...timeouts },
    };
    this.connections = new DirectConnections(options, 20);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket.on("close", () => this.#sockets.delete(socket)));
      this.connections.serve(socket);
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  client(): Client {
    return new Client(this.port);
  }

  /** How many connections are open. */
  open(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_, count) => resolve(count)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connections.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const STATUS = /HTTP\/1\.1 (\d{3}) /g;

class Client {
  readonly socket: Socket;
  received = "";
  readonly closed: Promise<unknown>;
  readonly #statuses: number[] = [];
  /** The end of what was received, in which a status may have begun. */
  #tail = "";

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      this.received += text;
      this.#findStatuses(this.#tail + text);
    });
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
  }

  /** Each piece reaches the server on its own, as far as the kernel can be made to. */
  async send(...pieces: readonly Buffer[]): Promise<this> {
    for (const piece of pieces) {
      await new Promise((resolve) => this.socket.write(piece, resolve));
      await new Promise(setImmediate);
    }
    return this;
  }

  /** The statuses of the answers, once there are so many. */
  async statuses(count: number): Promise<number[]> {
    await waitFor(async () => this.#statuses.length >= count);
    return [...this.#statuses];
  }

  /** Each byte is looked at once: a test may receive a hundred megabytes. */
  #findStatuses(text: string): void {
    let end = 0;
    for (const match of text.matchAll(STATUS)) {
      this.#statuses.push(Number(match[1]));
      end = match.index + match[0].length;
    }
    this.#tail = text.slice(Math.max(end, text.length - "HTTP/1.1 200".length));
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const post = (body: string, fields: readonly string[] = []): string =>
  ["POST /echo HTTP/1.1", "Host: a", ...fields, `Content-Length: ${body.length}`, "", body].join("\r\n");

const LAST = "GET /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
/** So many that the last is left whole, or what remains is no request at all, when a damaged length swallows some. */
const END = Buffer.from("GET /echo HTTP/1.1\r\nhost: a\r\n\r\n".repeat(7) + LAST);
const CLOSING = /^connection: close/im;
const NO_HOST = "no Host";
const LARGEST = "the largest small body";

describe("A direct connection", () => {
  const plain: Record<string, string> = {
    "a POST with Host and Content-Length": post("{}"),
    "an empty body": post(""),
    "fields of any other name": post("{}", ["User-Agent:  curl/8 ", "accept: */*", "X-Empty:", "cookie: a=b"]),
    "Connection: keep-alive": post("{}", ["connection: Keep-Alive"]),
    "a query": post("{}").replace("/echo", "/echo?a=b/c?d"),
    "an answer that is no 200": post("{}", ["x-status: 422"]),
    "an answer with bytes after its JSON": post("\xff\xfe", ["x-raw: 1"]),
    "letters beyond ASCII": post('{"a":"Gr\xc3\xb6\xc3\x9fe"}'),
    [LARGEST]: post("x".repeat(65_536)),
  };
  const others: Record<string, string> = {
    "a GET": "GET /echo HTTP/1.1\r\nhost: a\r\n\r\n",
    "HTTP/1.0 with keep-alive": post("{}", ["connection: keep-alive"]).replace("HTTP/1.1", "HTTP/1.0"),
    "another path": post("{}").replace("/echo", "/other"),
    "a URL with unusual characters": post("{}").replace("/echo", "/echo?{}"),
    "an absolute URL": post("{}").replace("/echo", "http://a/echo"),
    "a body in chunks": "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "both a length and chunks": post("5\r\nabcde\r\n0\r\n\r\n", ["transfer-encoding: chunked"]),
    "no length": "POST /echo HTTP/1.1\r\nhost: a\r\n\r\n",
    "two lengths": post("{}", ["content-length: 2"]),
    "two different lengths": post("{}", ["content-length: 3"]),
    "a length that is no number": post("{}").replace("Length: 2", "Length: +2"),
    "a length in hex": post("{}").replace("Length: 2", "Length: 0x2"),
    "a length with a leading zero": post("{}").replace("Length: 2", "Length: 02"),
    "a length as a list": post("{}").replace("Length: 2", "Length: 2, 2"),
    [NO_HOST]: "POST /echo HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    "a field that comes twice": post("{}", ["x-a: 1", "X-A: 2"]),
    "a folded field": post("{}", ["x-a: 1", " 2"]),
    "a space before the colon": post("{}", ["x-a : 1"]),
    "a space before Content-Length's colon": post("{}").replace("Length:", "Length :"),
    "a field without a name": post("{}", [": 1"]),
    "a line that is no field": post("{}", ["nonsense"]),
    "a bare line feed": post("{}", ["x-a: 1\nx-b: 2"]),
    "a bare line feed after the request line": post("{}").replace("\r\n", "\n"),
    "a bare carriage return": post("{}", ["x-a: 1\rx-b: 2"]),
    "a control character": post("{}", ["x-a: \x01"]),
    "a zero byte": post("{}", ["x-a: \0"]),
    "bytes beyond ASCII in a field": post("{}", ["x-a: \xe9"]),
    "an empty line before the request": `\r\n${post("{}")}`,
    "two spaces in the request line": post("{}").replace(" /echo", "  /echo"),
    "a method in small letters": post("{}").replace("POST", "post"),
    "another protocol": post("{}").replace("HTTP/1.1", "HTTP/1.2"),
    "Expect: 100-continue": post("{}", ["expect: 100-continue"]),
    "an upgrade": post("{}", ["upgrade: websocket"]),
    "a connection that is kept for its fields' sake": post("{}", ["connection: keep-alive, x-a", "x-a: 1"]),
    "a compressed body": post("{}", ["content-encoding: nothing"]),
    "a field __proto__, twice": post("{}", ["__proto__: 1", "__proto__: 2"]),
    "bytes that are no HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "nothing but line ends": "\r\n\r\n\r\n\r\n",
  };

  describe("answers as node:http would", () => {
    let direct: Direct;
    let node: HttpServer;
    const understood: Record<"direct" | "node", unknown[]> = { direct: [], node: [] };
    const noting =
      (by: "direct" | "node"): HotEndpoint =>
      async (request, body) => {
        const answer = await echo(request, body);
        understood[by].push(answer?.json);
        return answer;
      };
    before(async () => {
      direct = await new Direct({ endpoint: noting("direct") }).listen();
      node = nodeServer(noting("node"), direct.bodies).listen(0, "127.0.0.1");
      await once(node, "listening");
    });
    after(async () => {
      await direct[Symbol.asyncDispose]();
      node.close();
    });

    /** All that a server answers to these bytes until it closes the connection. */
    async function conversation(port: number, pieces: readonly Buffer[]): Promise<string[]> {
      using client = new Client(port);
      await client.send(...pieces);
      await client.closed;
      return client.received.replaceAll(/(?<=^date: ).*$/gim, "…").split(/(?=HTTP\/1\.1 )/);
    }

    /**
     * What follows bytes that end the connection, whether they are refused or ask for it, is a matter of time: node:http
     * parses on while it answers. So the two have to agree up to there.
     */
    async function expectSame(...pieces: readonly Buffer[]): Promise<void> {
      understood.direct = [];
      understood.node = [];
      const { port } = node.address() as AddressInfo;
      const [ours, theirs] = await Promise.all([conversation(direct.port, pieces), conversation(port, pieces)]);
      const [ourLast, theirLast] = [ours, theirs].map((answers) => answers.findIndex((answer) => CLOSING.test(answer)));
      const agreed = Math.min(ourLast as number, theirLast as number);
      expect(agreed, "a connection ended without an answer that says so").to.be.at.least(0);
      expect(ours.slice(0, agreed)).to.deep.equal(theirs.slice(0, agreed));
      const heard = Math.min(understood.direct.length, understood.node.length);
      expect(understood.direct.slice(0, heard)).to.deep.equal(understood.node.slice(0, heard));
      if (ours[agreed]?.includes(" 200 ") && theirs[agreed]?.includes(" 200 ")) expect(ours).to.deep.equal(theirs);
    }

    for (const [what, request] of Object.entries(plain)) {
      it(`itself: ${what}`, async () => {
        const before = direct.handedOver;
        using client = await direct.client().send(Buffer.from(request, "latin1"));
        await client.statuses(1);
        expect(direct.handedOver).to.equal(before);
        await expectSame(Buffer.from(request + LAST, "latin1"));
      });
    }
    for (const [what, request] of Object.entries(others)) {
      it(`by handing over: ${what}`, async () => {
        const before = direct.handedOver;
        await expectSame(Buffer.from(request, "latin1"), Buffer.from(LAST));
        expect(direct.handedOver).to.equal(before + 1);
      });
    }

    it("whatever comes, in whatever pieces", async function () {
      this.timeout(60_000 + CASES * 50);
      const { [LARGEST]: _, ...small } = plain;
      const { [NO_HOST]: __, ...open } = others;
      const texts = [small, small, open].flatMap((some) => Object.values(some));
      const requests = fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 4 });
      const damage = fc.record({
        at: fc.nat(400),
        byte: fc.nat(255),
        kind: fc.constantFrom("none", "none", "set", "cut"),
      });
      const cuts = fc.array(fc.nat(900), { maxLength: 5 });
      const sent = fc.tuple(requests, damage, cuts).map(([list, { at, byte, kind }, places]) => {
        const bytes = Buffer.from(list.join(""), "latin1");
        if (kind === "set" && at < bytes.length) bytes[at] = byte;
        const whole = kind === "cut" ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]) : bytes;
        const sorted = [0, ...places.toSorted((a, b) => a - b), whole.length];
        return sorted.slice(1).map((end, index) => whole.subarray(sorted[index], end));
      });
      await fc.assert(
        fc.asyncProperty(sent, (pieces) => expectSame(...pieces, END)),
        { numRuns: CASES },
      );
    });
  });

  it("takes a head and a body that come one after the other, in whatever pieces", async () => {
    await using direct = await new Direct().listen();
    using client = direct.client();
    const [head, body] = [post("x".repeat(50)).slice(0, -50), "x".repeat(50)];
    await client.send(Buffer.from(head), Buffer.from(body.slice(0, 20)), Buffer.from(body.slice(20)));
    await client.send(Buffer.from(head), Buffer.from(body + head), Buffer.from(body));
    expect(await client.statuses(3)).to.deep.equal([200, 200, 200]);
    expect(direct.handedOver).to.equal(0);
  });

  it("stays one for Node's own clients", async () => {
    await using direct = await new Direct().listen();
    const url = `http://127.0.0.1:${direct.port}/echo`;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; turn < 2; turn += 1) {
      expect((await fetch(url, { method: "POST", body: "{}" })).status).to.equal(200);
      const sent = request(url, { agent, method: "POST", headers: { "content-length": 2 } }).end("{}");
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      await once(response.resume(), "end");
      expect(response.statusCode).to.equal(200);
    }
    agent.destroy();
    expect(direct.handedOver).to.equal(0);
  });

  it("leaves a client that is slow with its body to node:http, which takes it", async () => {
    await using direct = await new Direct({ timeouts: { body: 20 } }).listen();
    using client = direct.client();
    await client.send(Buffer.from(post("abcdef").slice(0, -3)));
    await waitFor(async () => direct.handedOver === 1);
    await client.send(Buffer.from("def"));
    await client.statuses(1);
    expect(client.received).to.include('"body":"abcdef"');
  });

  it("leaves a client that dribbles its body to node:http", async () => {
    await using direct = await new Direct().listen();
    using client = direct.client();
    const pieces = Array.from(post("x".repeat(200)), (letter) => Buffer.from(letter));
    await client.send(Buffer.concat(pieces.slice(0, -200)), ...pieces.slice(-200));
    expect(await client.statuses(1)).to.deep.equal([200]);
    expect(direct.handedOver).to.equal(1);
  });

  it("holds no more bytes of bodies than there is room for, and gives the room back", async () => {
    const bodies = new BodyBudget(100);
    await using direct = await new Direct({ bodies }).listen();
    const first = Buffer.from(post("x".repeat(90)).slice(0, -1));
    const clients = Array.from({ length: 20 }, () => direct.client());
    for (const client of clients) await client.send(first);
    await waitFor(async () => direct.handedOver > 0);
    for (const client of clients) await client.send(Buffer.from("x"));
    for (const client of clients) await client.statuses(1);
    for (const client of clients) client.socket.destroy();
    using client = await direct.client().send(first, Buffer.from("x"));
    expect(await client.statuses(1)).to.deep.equal([200]);
    expect(bodies.hold(0), "what was held is released").to.equal(true);
    expect(bodies.hold(1600)).to.equal(true);
  });

  it("leaves a body that is too large to node:http, which says so", async () => {
    await using direct = await new Direct({ bodies: new BodyBudget(10) }).listen();
    using client = await direct.client().send(Buffer.from(post("x".repeat(11))));
    expect(await client.statuses(1)).to.deep.equal([413]);
    expect(direct.handedOver).to.equal(1);
  });

  it("is told that it is too late when it says nothing at all", async () => {
    await using direct = await new Direct({ timeouts: { head: 20 } }).listen();
    using client = direct.client();
    expect(await client.statuses(1)).to.deep.equal([408]);
    await client.closed;
  });

  it("is closed when it has been idle for long, and not before", async () => {
    await using direct = await new Direct({ timeouts: { keepAlive: 200, head: 20 } }).listen();
    using client = await direct.client().send(Buffer.from(post("{}")));
    await client.statuses(1);
    const answered = performance.now();
    await client.closed;
    expect(performance.now() - answered).to.be.above(100);
  });

  it("knows when the client is gone, and answers nobody", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<() => boolean>();
    const { promise: answer, resolve: give } = Promise.withResolvers<undefined>();
    await using direct = await new Direct({
      endpoint: ({ isGone }) => {
        ask(isGone);
        return answer;
      },
    }).listen();
    using client = await direct.client().send(Buffer.from(post("{}")));
    const isGone = await asked;
    expect(isGone()).to.equal(false);
    client.socket.destroy();
    await waitFor(async () => isGone());
    give(undefined);
  });

  it("asks for no more from a client that does not read its answers, and goes on when it does", async () => {
    const json = "x".repeat(1_000_000);
    let asked = 0;
    const endpoint: HotEndpoint = () => {
      asked += 1;
      return Promise.resolve({ status: 200, headers: {}, json });
    };
    await using direct = await new Direct({ endpoint }).listen();
    using client = direct.client();
    client.socket.pause();
    await client.send(Buffer.from(post("{}").repeat(100)));
    let before = -1;
    await waitFor(async () => {
      if (before === asked && asked > 0) return true;
      before = asked;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return false;
    });
    expect(asked).to.be.below(50);
    client.socket.resume();
    await client.statuses(100);
    expect(asked).to.equal(100);
  });

  it("is cut when the client leaves its answers unread", async () => {
    const endpoint: HotEndpoint = () => Promise.resolve({ status: 200, headers: {}, json: "x".repeat(20_000_000) });
    await using direct = await new Direct({ endpoint, timeouts: { flush: 50 } }).listen();
    using client = direct.client();
    client.socket.pause();
    await client.send(Buffer.from(post("{}")));
    await waitFor(async () => (await direct.open()) === 0);
  });

  it("ends with its next answer when it is to end, and says so", async () => {
    let isLast = false;
    await using direct = await new Direct({ isLast: () => isLast }).listen();
    using client = await direct.client().send(Buffer.from(post("{}")));
    await client.statuses(1);
    expect(client.received).to.match(/^Connection: keep-alive\r\nKeep-Alive: timeout=620\r$/m);
    isLast = true;
    await client.send(Buffer.from(post("{}") + post("{}")));
    await client.closed;
    expect(await client.statuses(2)).to.deep.equal([200, 200]);
    expect(client.received).to.match(/^Connection: close\r$/m);
  });

  it("is closed at the end only when nothing is on its way", async () => {
    const { promise: release, resolve } = Promise.withResolvers<void>();
    const endpoint: HotEndpoint = async (request, body) => {
      if (request.url === "/echo?wait") await release;
      return echo(request, body);
    };
    await using direct = await new Direct({ endpoint }).listen();
    using idle = await direct.client().send(Buffer.from(post("{}")));
    using busy = await direct.client().send(Buffer.from(post("{}").replace("/echo", "/echo?wait")));
    await idle.statuses(1);
    direct.connections.closeIdle();
    await idle.closed;
    resolve();
    expect(await busy.statuses(1)).to.deep.equal([200]);
  });
});
