import { request } from "node:http";
import { expect } from "chai";
import { startProfiler } from "../../../operator/observability/profiler.ts";
import type { Profiler } from "../../../operator/observability/profiler.ts";

describe("the profiler", function () {
  this.timeout(60_000);
  let profiler: Profiler;

  beforeEach(async () => (profiler = await startProfiler(0)));
  afterEach(() => profiler.close());

  const at = (path: string): string => `http://127.0.0.1:${profiler.port}${path}`;

  it("sends a CPU profile as developer tools read it", async () => {
    const response = await fetch(at("/debug/cpu?seconds=0.05"));
    expect(response.headers.get("content-disposition")).to.include(".cpuprofile");
    const profile = (await response.json()) as { nodes: unknown[]; startTime: number; endTime: number };
    expect(profile.nodes).to.have.length.above(0);
    expect(profile.endTime).to.be.above(profile.startTime);
  });

  it("sends a heap snapshot as developer tools read it", async () => {
    const response = await fetch(at("/debug/heap"));
    expect(response.headers.get("content-disposition")).to.include(".heapsnapshot");
    const { snapshot } = (await response.json()) as { snapshot: { node_count: number } };
    expect(snapshot.node_count).to.be.above(1_000);
  });

  it("takes one at a time", async () => {
    const first = fetch(at("/debug/cpu?seconds=1"));
    await new Promise((resolve) => setImmediate(resolve));
    const both = await Promise.all([first, fetch(at("/debug/cpu?seconds=1"))]);
    expect(both.map(({ status }) => status)).to.have.members([200, 429]);
    await Promise.all(both.map((response) => response.text()));
  });

  for (const [path, status] of [
    ["/debug/cpu?seconds=61", 400],
    ["/debug/cpu?seconds=-1", 400],
    ["/debug/cpu?seconds=x", 400],
    ["/metrics", 404],
  ] as const)
    it(`answers ${status} to ${path}`, async () => {
      const response = await fetch(at(path));
      await response.text();
      expect(response.status).to.equal(status);
    });

  it("answers nobody who came by another name", async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { host: "attacker.example" };
      request(at("/debug/heap"), { headers }, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).to.equal(403);
  });

  it("ends with a profile under way", async () => {
    const lost = fetch(at("/debug/cpu?seconds=60")).then(
      () => "answered",
      () => "cut off",
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    await profiler.close();
    expect(await lost).to.equal("cut off");
    profiler = await startProfiler(0);
  });
});
