import { writeFileSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isInvalid,
  isNotFound,
  isTooManyRequests,
  KubeError,
} from "../../../operator/kube/errors.ts";
import { KubeTransport, type TransportOptions } from "../../../operator/kube/transport.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { eventually } from "./eventually.ts";
import { kubeConfigFor, ScriptedServer, sendJson, sendStatus } from "./scripted-server.ts";

describe("KubeTransport", () => {
  const open: AsyncDisposable[] = [];

  afterEach(async () => {
    for (const resource of open.splice(0)) await resource[Symbol.asyncDispose]();
  });

  async function serve(...[answer, options]: Parameters<typeof ScriptedServer.start>): Promise<ScriptedServer> {
    const server = await ScriptedServer.start(answer, options);
    open.unshift(server);
    return server;
  }

  function connect(kubeConfig: ReturnType<typeof kubeConfigFor>, options: Partial<TransportOptions> = {}) {
    const transport = new KubeTransport(kubeConfig, { userAgent: "tests", random: () => 0, ...options });
    open.unshift({ [Symbol.asyncDispose]: () => transport.close() });
    return transport;
  }

  async function failure(promise: Promise<unknown>): Promise<KubeError> {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(KubeError);
    return error as KubeError;
  }

  describe("a request", () => {
    it("carries JSON both ways, the query, the content type and who asks", async () => {
      const server = await serve((_, response) => sendJson(response, { answer: 42 }));
      const transport = connect(kubeConfigFor(server.url, { token: "secret" }));
      const answer = await transport.request("PATCH", "/apis/apps/v1/x", {
        query: { fieldManager: "slipway", force: true, dryRun: undefined },
        body: { spec: {} },
        contentType: "application/apply-patch+yaml",
      });
      expect(answer).to.deep.equal({ answer: 42 });
      const [request] = server.requests;
      expect(request).to.deep.include({ method: "PATCH", path: "/apis/apps/v1/x", body: { spec: {} } });
      expect(request!.query.toString()).to.equal("fieldManager=slipway&force=true");
      expect(request!.headers).to.include({
        authorization: "Bearer secret",
        "content-type": "application/apply-patch+yaml",
        "user-agent": "tests",
      });
    });

    it("goes below the path of a server that has one", async () => {
      const server = await serve((_, response) => sendJson(response, {}));
      await connect(kubeConfigFor(`${server.url}/k8s/clusters/a/`)).request("GET", "/version");
      expect(server.requests[0]!.path).to.equal("/k8s/clusters/a/version");
    });

    it("goes through the kubeconfig's proxy", async () => {
      const proxy = await serve((_, response) => sendJson(response, { through: "proxy" }));
      const kubeConfig = kubeConfigFor("http://cluster.invalid:6443", {}, { proxyUrl: proxy.url });
      expect(await connect(kubeConfig).request("GET", "/version")).to.deep.equal({ through: "proxy" });
      expect(proxy.requests[0]!.headers.host).to.equal("cluster.invalid:6443");
    });

    it("shares connections with those before it", async () => {
      const ports = new Set<number | undefined>();
      const server = await serve((_, response) => {
        ports.add(response.socket?.remotePort);
        sendJson(response, {});
      });
      const transport = connect(kubeConfigFor(server.url));
      for (let request = 0; request < 20; request++) await transport.request("GET", "/version");
      // A connection is free again only after its answer was read, so that two take turns.
      expect(ports.size).to.be.at.most(2);
    });

    it("counts each answer, and each failure to get one", async () => {
      const counted: string[] = [];
      const server = await serve((_, response, index) => (index === 0 ? response.destroy() : sendJson(response, {})));
      const metrics = { requestFinished: (...labels: string[]) => counted.push(labels.join(" ")) };
      await connect(kubeConfigFor(server.url), { metrics }).request("GET", "/version");
      const host = new URL(server.url).host;
      expect(counted).to.deep.equal([`<error> GET ${host}`, `200 GET ${host}`]);
    });
  });

  describe("an error", () => {
    for (const [code, reason, predicate] of [
      [403, "Forbidden", isForbidden],
      [404, "NotFound", isNotFound],
      [409, "Conflict", isConflict],
      [409, "AlreadyExists", isAlreadyExists],
      [410, "Expired", isExpired],
      [422, "Invalid", isInvalid],
      [429, "TooManyRequests", isTooManyRequests],
    ] as const) {
      it(`says what was attempted and why it failed, and is told apart as ${reason}`, async () => {
        const server = await serve((_, response) => sendStatus(response, code, reason, "the server's words"));
        const action = "applying Deployment credit/loan";
        const error = await failure(connect(kubeConfigFor(server.url)).request("PATCH", "/x", { body: {}, action }));
        expect(error).to.include({ status: code, reason, message: `${action}: the server's words` });
        const matching = [
          isForbidden,
          isNotFound,
          isConflict,
          isAlreadyExists,
          isExpired,
          isInvalid,
          isTooManyRequests,
        ].filter((candidate) => candidate(error));
        expect(matching).to.deep.equal([predicate]);
      });
    }

    it("keeps the causes that name the fields", async () => {
      const causes = [{ reason: "FieldValueInvalid", message: "must be positive", field: "spec.replicas" }];
      const server = await serve((_, response) =>
        sendJson(response, { kind: "Status", code: 422, reason: "Invalid", message: "no", details: { causes } }, 422),
      );
      const error = await failure(connect(kubeConfigFor(server.url)).request("POST", "/x", { body: {} }));
      expect(error.details?.causes).to.deep.equal(causes);
    });

    it("quotes a proxy that answers in something other than a Status", async () => {
      const server = await serve((_, response) => response.writeHead(403).end("<h1>go away</h1>"));
      const error = await failure(connect(kubeConfigFor(server.url)).request("POST", "/x", { body: {} }));
      expect(error).to.include({ status: 403, reason: "Forbidden" });
      expect(error.message).to.equal(`POST /x: ${server.url} answered 403: <h1>go away</h1>`);
    });

    it("says that an answer is not JSON", async () => {
      const server = await serve((_, response) => response.writeHead(200).end("<h1>log in</h1>"));
      const error = await failure(connect(kubeConfigFor(server.url)).request("GET", "/x"));
      expect(error).to.include({ reason: "InvalidAnswer" });
      expect(error.message).to.contain("is not JSON: <h1>log in</h1>");
    });
  });

  describe("retries", () => {
    for (const [title, first] of [
      ["500", { code: 500, reason: "InternalError" }],
      ["503", { code: 503, reason: "ServiceUnavailable" }],
      ["429", { code: 429, reason: "TooManyRequests" }],
      ["a connection that breaks", undefined],
    ] as const) {
      it(`repeats a read after ${title}`, async () => {
        const server = await serve((_, response, index) => {
          if (index > 0) sendJson(response, { second: true });
          else if (first) sendStatus(response, first.code, first.reason, "later");
          else response.destroy();
        });
        expect(await connect(kubeConfigFor(server.url)).request("GET", "/x")).to.deep.equal({ second: true });
      });
    }

    for (const [title, first] of [
      ["500", 500],
      ["504", 504],
      ["a connection that breaks", undefined],
    ] as const) {
      it(`never repeats a write after ${title}: it may have been carried out`, async () => {
        const server = await serve((_, response) =>
          first === undefined ? response.destroy() : sendStatus(response, first, "Whatever", "who knows"),
        );
        await failure(connect(kubeConfigFor(server.url)).request("POST", "/x", { body: {} }));
        expect(server.requests.length).to.equal(1);
      });
    }

    it("repeats a write that the server was too busy for, when the server says so", async () => {
      const clock = new FakeClock();
      const server = await serve((_, response, index) =>
        index === 0
          ? sendStatus(response, 429, "TooManyRequests", "busy", { "retry-after": "7" })
          : sendJson(response, {}),
      );
      const done = connect(kubeConfigFor(server.url), { clock }).request("POST", "/x", { body: {} });
      // The deadline of the call and, once the 429 arrived, the wait.
      await eventually("the transport waits to repeat the write", () => clock.pendingTimers === 2);
      await clock.advance(6_999);
      expect(server.requests.length).to.equal(1);
      await clock.advance(1);
      await done;
      expect(server.requests.length).to.equal(2);
    });

    it("does not wait for a Retry-After that lies beyond the call's deadline, and passes it on", async () => {
      const server = await serve((_, response) =>
        sendStatus(response, 429, "TooManyRequests", "busy", { "retry-after": "3600" }),
      );
      const error = await failure(connect(kubeConfigFor(server.url)).request("GET", "/x"));
      expect(error.retryAfterSeconds).to.equal(3600);
      expect(server.requests.length).to.equal(1);
    });

    it("repeats a write when nothing listened, for then it was not sent", async () => {
      const port = await freePort();
      const request = connect(kubeConfigFor(`http://127.0.0.1:${port}`)).request("POST", "/x", { body: {} });
      const server = await serve((_, response) => sendJson(response, { done: true }), { port });
      expect(await request).to.deep.equal({ done: true });
      expect(server.requests.length).to.equal(1);
    });

    it("gives up after five attempts, and says where it tried", async () => {
      const server = await serve((_, response) => sendStatus(response, 503, "ServiceUnavailable", "starting"));
      const clock = new FakeClock();
      const failed = failure(connect(kubeConfigFor(server.url), { clock }).request("GET", "/x"));
      for (let attempt = 1; attempt < 5; attempt++) {
        await eventually(
          `attempt ${attempt} failed`,
          () => server.requests.length === attempt && clock.pendingTimers === 2,
        );
        await clock.advance(1_000);
        await eventually(`attempt ${attempt + 1} begins`, () => server.requests.length === attempt + 1);
      }
      expect((await failed).message).to.equal("GET /x: starting");
      expect(server.requests.length).to.equal(5);
    });

    for (const [title, expirationTimestamp] of [
      ["that had run out", "2001-01-01T00:00:00Z"],
      ["that was good for ever", undefined],
    ] as const) {
      it(`asks the credentials plugin again when a token ${title} is refused`, async () => {
        const folder = await mkdtemp(join(tmpdir(), "slipway-"));
        open.push({ [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }) });
        const file = join(folder, "credential.json");
        const issue = (token: string) =>
          writeFileSync(file, JSON.stringify({ kind: "ExecCredential", status: { token, expirationTimestamp } }));
        issue("old");
        const server = await serve(({ headers }, response) => {
          if (headers.authorization === "Bearer new") return sendJson(response, {});
          issue("new");
          sendStatus(response, 401, "Unauthorized", "who?");
        });
        const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "cat", args: [file] };
        await connect(kubeConfigFor(server.url, { exec })).request("POST", "/x", { body: {} });
        expect(server.requests.map(({ headers }) => headers.authorization)).to.deep.equal(["Bearer old", "Bearer new"]);
      });
    }

    it("asks only once more when credentials are refused", async () => {
      const server = await serve((_, response) => sendStatus(response, 401, "Unauthorized", "who?"));
      await failure(connect(kubeConfigFor(server.url, { token: "bad" })).request("GET", "/x"));
      expect(server.requests.length).to.equal(2);
    });
  });

  describe("limits", () => {
    it("ends a request whose connection hangs", async () => {
      const server = await serve(() => {});
      const error = await failure(connect(kubeConfigFor(server.url), { requestTimeoutMs: 50 }).request("GET", "/x"));
      expect(error).to.include({ status: 0, reason: "Timeout" });
      expect(error.message).to.contain(`GET /x: no answer from ${server.url} within 0.05 s`);
    });

    it("ends a request whose answer stops half way", async () => {
      const server = await serve((_, response) => response.writeHead(200).write('{"half":'));
      const error = await failure(connect(kubeConfigFor(server.url), { requestTimeoutMs: 50 }).request("GET", "/x"));
      expect(error.reason).to.equal("Timeout");
    });

    it("ends a request whose credentials plugin hangs", async () => {
      const server = await serve((_, response) => sendJson(response, {}));
      const started = performance.now();
      const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "sleep", args: ["1"] };
      const error = await failure(
        connect(kubeConfigFor(server.url, { exec }), { requestTimeoutMs: 50 }).request("GET", "/x"),
      );
      expect(error.reason).to.equal("Timeout");
      expect(performance.now() - started, "ms until the request ended").to.be.below(800);
      expect(server.requests).to.deep.equal([]);
    });

    it("stops when the caller does, with the caller's reason", async () => {
      const server = await serve(() => {});
      const caller = new AbortController();
      const request = connect(kubeConfigFor(server.url)).request("GET", "/x", { signal: caller.signal });
      await eventually("the request arrived", () => server.requests.length === 1);
      const reason = new Error("enough");
      caller.abort(reason);
      expect(await request.catch((error: unknown) => error)).to.equal(reason);
    });

    it("lets no write pass a fence that fell, not even one that waits to be repeated, while reads pass", async () => {
      const clock = new FakeClock();
      const server = await serve((_, response, index) =>
        index === 0 ? sendStatus(response, 429, "TooManyRequests", "busy") : sendJson(response, {}),
      );
      let fallen = false;
      const client = connect(kubeConfigFor(server.url), { clock }).fenced(() => {
        if (fallen) throw new Error("not the leader");
      });
      const write = client.request("POST", "/x", { body: {} }).catch((error: unknown) => error);
      await eventually("the write waits", () => server.requests.length === 1 && clock.pendingTimers === 2);
      fallen = true;
      await clock.advance(5_000);
      expect(await write).to.have.property("message", "not the leader");
      expect(server.requests.length).to.equal(1);
      await client.request("GET", "/x");
    });
  });

  describe("a stream", () => {
    const line = (type: string, resourceVersion: string) =>
      `${JSON.stringify({ type, object: { metadata: { name: "a", resourceVersion } } })}\n`;

    async function versions(transport: KubeTransport): Promise<string[]> {
      const seen: string[] = [];
      for await (const { type, object } of transport.stream("/watch")) {
        seen.push(`${type} ${object.metadata.resourceVersion}`);
      }
      return seen;
    }

    it("yields each event, however its bytes are cut, and drops a last line that was cut off", async () => {
      const text = line("ADDED", "1") + line("MODIFIED", "2-ü") + line("BOOKMARK", "3") + '{"type":"MODI';
      const server = await serve((_, response) => {
        response.writeHead(200);
        for (const byte of Buffer.from(text)) response.write(Buffer.of(byte));
        response.end();
      });
      expect(await versions(connect(kubeConfigFor(server.url)))).to.deep.equal([
        "ADDED 1",
        "MODIFIED 2-ü",
        "BOOKMARK 3",
      ]);
    });

    it("throws an ERROR event", async () => {
      const status = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" };
      const server = await serve((_, response) =>
        response.writeHead(200).end(line("ADDED", "1") + JSON.stringify({ type: "ERROR", object: status }) + "\n"),
      );
      const error = await failure(versions(connect(kubeConfigFor(server.url))));
      expect(isExpired(error)).to.equal(true);
      expect(error.message).to.equal("watching /watch: too old resource version");
    });

    it("throws when the server refuses it, when the connection breaks, and when a line makes no sense", async () => {
      const server = await serve((_, response, index) => {
        if (index === 0) sendStatus(response, 403, "Forbidden", "no");
        else if (index === 1) response.writeHead(200).write(line("ADDED", "1"), () => response.destroy());
        else response.writeHead(200).end("hello\n");
      });
      const transport = connect(kubeConfigFor(server.url));
      const reasons = [];
      for (let attempt = 0; attempt < 3; attempt++) reasons.push((await failure(versions(transport))).reason);
      expect(reasons).to.deep.equal(["Forbidden", "ConnectionFailed", "InvalidAnswer"]);
    });

    it("waits for headers no longer than for any answer, but for events as long as it takes", async () => {
      const clock = new FakeClock();
      let release = () => {};
      const server = await serve((_, response, index) => {
        if (index === 0) return;
        response.writeHead(200).flushHeaders();
        release = () => response.end(line("ADDED", "1"));
      });
      const transport = connect(kubeConfigFor(server.url), { clock });
      const refused = failure(versions(transport));
      await eventually("the first watch hangs", () => server.requests.length === 1);
      await clock.advance(30_000);
      expect((await refused).reason).to.equal("Timeout");

      const seen = versions(transport);
      await eventually(
        "the headers of the second watch arrived",
        () => server.requests.length === 2 && clock.pendingTimers === 0,
      );
      await clock.advance(3_600_000);
      release();
      expect(await seen).to.deep.equal(["ADDED 1"]);
    });

    it("closes its connection when its reader leaves or aborts", async () => {
      let closed = 0;
      const server = await serve((_, response) => {
        response.on("close", () => (closed += 1));
        response.writeHead(200).write(line("ADDED", "1"));
      });
      const transport = connect(kubeConfigFor(server.url));
      for await (const event of transport.stream("/watch")) if (event.type === "ADDED") break;
      await eventually("the first connection closed", () => closed === 1);

      const caller = new AbortController();
      const reason = new Error("stop");
      const aborted = (async () => {
        for await (const event of transport.stream("/watch", { signal: caller.signal })) {
          if (event.type === "ADDED") setImmediate(() => caller.abort(reason));
        }
      })();
      expect(await aborted.catch((error: unknown) => error)).to.equal(reason);
      await eventually("the second connection closed", () => closed === 2);
    });
  });

  describe("TLS", () => {
    it("trusts the cluster's authority only, and follows it when its file changes", async () => {
      const folder = await mkdtemp(join(tmpdir(), "slipway-"));
      open.push({ [Symbol.asyncDispose]: async () => rm(folder, { recursive: true }) });
      const caFile = join(folder, "ca.crt");
      await copyFile(certificate("one.crt"), caFile);
      const port = await freePort();
      const first = await ScriptedServer.start((_, response) => sendJson(response, { by: 1 }), {
        port,
        tls: await tls("one"),
      });
      const transport = connect(kubeConfigFor(`https://127.0.0.1:${port}`, {}, { caFile }));
      expect(await transport.request("GET", "/x")).to.deep.equal({ by: 1 });

      await first[Symbol.asyncDispose]();
      await serve((_, response) => sendJson(response, { by: 2 }), { port, tls: await tls("two") });
      const refused = await failure(transport.request("POST", "/x", { body: {} }));
      expect(refused.message).to.contain("self-signed certificate");
      await writeFile(caFile, await readFile(certificate("two.crt")));
      expect(await transport.request("POST", "/x", { body: {} })).to.deep.equal({ by: 2 });
    });
  });
});

function certificate(file: string): string {
  return join(import.meta.dirname, "certificates", file);
}

async function tls(name: string): Promise<{ key: Buffer; cert: Buffer }> {
  return { key: await readFile(certificate(`${name}.key`)), cert: await readFile(certificate(`${name}.crt`)) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
