import { Agent, request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";

import { expect } from "chai";

import { RuntimeProcess } from "./support/runtime-process.ts";
import { Serving } from "./support/serving.ts";
import { graph } from "./support/scratch.ts";

const APPLICANT = JSON.stringify({ age: 34, income: 52_000, credit_score: 700 });

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

function post(url: string, agent: Agent): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { agent, method: "POST", headers: { "content-type": "application/json" } },
      (response) => {
        response.resume().on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
      },
    );
    sent.on("error", reject).end(APPLICANT);
  });
}

describe("SIGTERM", () => {
  it("loses no request of busy clients that stop when their connection is closed or the health check fails", async () => {
    // Longer than any machine needs for what is asked of the drain; the second SIGTERM ends it.
    await using runtime = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0", DRAIN_SECONDS: "60" });
    await runtime.logged("ready");
    const url = await runtime.url("/predict");
    const health = await runtime.url("/health");

    const replies: Reply[] = [];
    const routed = new AbortController();
    const clients = Array.from({ length: 20 }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      while (!routed.signal.aborted) replies.push(await post(url, agent));
      agent.destroy();
    });
    while (replies.length < 200) await new Promise(setImmediate);
    runtime.signal("SIGTERM");
    await runtime.logged("draining");

    const drained = await fetch(health);
    expect(drained.status).to.equal(503);
    expect(await drained.json()).to.include({ status: "draining" });
    const beforeClose = replies.length;
    while (replies.length < beforeClose + 200) await new Promise(setImmediate); // still served while routers take note
    expect(replies.at(-1)?.headers["connection"]).to.equal("close");
    routed.abort();
    await Promise.all(clients);
    runtime.signal("SIGTERM");

    expect(replies.every(({ status }) => status === 200)).to.equal(true);
    expect(await runtime.exited, runtime.log).to.equal(0);
  });

  it("lets a request end that began before the listener closed", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0" });
    await runtime.logged("ready");
    const url = await runtime.url("/predict");
    const status = await new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method: "POST", headers: { "content-type": "application/json", "content-length": APPLICANT.length } },
        (response) => {
          response.resume().on("end", () => resolve(response.statusCode));
        },
      );
      sent.on("error", reject);
      sent.write(APPLICANT.slice(0, 5), () => {
        runtime.signal("SIGTERM");
        void runtime.logged("draining").then(() => sent.end(APPLICANT.slice(5)));
      });
    });
    expect(status).to.equal(200);
    expect(await runtime.exited).to.equal(0);
  });

  it("does not wait out the drain when it comes a second time", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0", DRAIN_SECONDS: "3600" });
    await runtime.logged("ready");
    runtime.signal("SIGINT");
    await runtime.logged("draining");
    runtime.signal("SIGINT");
    expect(await runtime.exited).to.equal(0);
  });
});

describe("A connection", () => {
  const serving = new Serving({ "model.onnx": graph("one-row") }, { MAX_CONNECTION_AGE_SECONDS: "1" });

  it("is kept while it is young, and closed with an answer when it is old, so that clients meet new pods", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = await post(serving.url("/predict"), agent);
    expect(first.headers["connection"]).to.equal("keep-alive");
    let last = first;
    const began = performance.now();
    while (last.headers["connection"] === "keep-alive") last = await post(serving.url("/predict"), agent);
    expect(performance.now() - began).to.be.within(800, 2000);
    agent.destroy();
  });
});
