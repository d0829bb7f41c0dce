import { expect } from "chai";
import { Registry } from "prom-client";
import {
  type HealthServer,
  type HealthServerOptions,
  startHealthServer,
} from "../../../operator/observability/health-server.ts";
import { createMetrics } from "../../../operator/observability/metrics.ts";

describe("startHealthServer", () => {
  const running: HealthServer[] = [];

  afterEach(async () => {
    await Promise.all(running.splice(0).map(async (server) => server.close()));
  });

  async function serve(options: Partial<HealthServerOptions> = {}): Promise<HealthServer> {
    const server = await startHealthServer({
      host: "127.0.0.1",
      healthPort: 0,
      metricsPort: 0,
      livenessChecks: {},
      readinessChecks: {},
      registry: new Registry(),
      ...options,
    });
    running.push(server);
    return server;
  }

  async function get(port: number, path: string, method = "GET") {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
  }

  it("is alive, and ready when every check is", async () => {
    const checks = { informers: () => undefined, lease: async () => undefined };
    const { healthPort } = await serve({ readinessChecks: checks });
    expect(await get(healthPort, "/healthz")).to.include({ status: 200, body: "ok\n" });
    expect(await get(healthPort, "/readyz?verbose")).to.include({
      status: 200,
      body: "[+]informers ok\n[+]lease ok\nok\n",
    });
  });

  it("names each check that fails, and what is wrong, also when the check itself breaks", async () => {
    const { healthPort } = await serve({
      readinessChecks: {
        informers: () => "Deployments not listed yet",
        lease: async () => Promise.reject(new Error("boom")),
        fine: () => undefined,
      },
    });
    expect(await get(healthPort, "/readyz")).to.include({
      status: 503,
      body: "[-]informers failed: Deployments not listed yet\n[-]lease failed: boom\n[+]fine ok\ncheck failed\n",
    });
    expect(await get(healthPort, "/healthz")).to.include({ status: 200 });
  });

  it("serves metrics on their own port, in Prometheus' format", async () => {
    const { healthPort, metricsPort } = await serve({ registry: createMetrics().registry });
    const { status, type, body } = await get(metricsPort, "/metrics");
    expect({ status, type }).to.deep.equal({ status: 200, type: "text/plain; version=0.0.4; charset=utf-8" });
    expect(body).to.contain("# TYPE process_cpu_seconds_total counter");
    expect(await get(healthPort, "/metrics")).to.include({ status: 404 });
  });

  it("serves everything on one port when both are the same", async () => {
    const { healthPort } = await serve();
    await running.pop()!.close();
    const { metricsPort } = await serve({ healthPort, metricsPort: healthPort });
    expect(await get(metricsPort, "/healthz")).to.include({ status: 200 });
    expect(await get(metricsPort, "/metrics")).to.include({ status: 200 });
  });

  it("says which paths there are, and that it only reads", async () => {
    const { healthPort } = await serve();
    expect(await get(healthPort, "/constructor")).to.include({
      status: 404,
      body: "no such path; there are: /healthz, /readyz\n",
    });
    expect(await get(healthPort, "/healthz", "POST")).to.include({ status: 405 });
  });

  it("says which port it could not have, and for what, and leaves nothing open", async () => {
    const { metricsPort } = await serve();
    const { healthPort: free } = await serve();
    await running.pop()!.close();
    const error: unknown = await serve({ healthPort: free, metricsPort }).catch((reason: unknown) => reason);
    expect(error).to.have.property("message").that.contains(`listening on 127.0.0.1:${metricsPort} for /metrics`);
    await serve({ healthPort: free });
  });
});
