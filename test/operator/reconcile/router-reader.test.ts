import { createServer } from "node:http";
import { expect } from "chai";
import { readRouters } from "../../../operator/reconcile/router-reader.ts";
import type { Pod } from "../../../operator/reconcile/world.ts";
import { ROUTER_PORTS } from "../../../operator/traffic/envoy-bootstrap.ts";
import { REPORT_PATHS } from "../../../operator/traffic/router-report.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** An address of this test's process alone, since the port is given. */
const ADDRESS = `127.${200 + (process.pid % 50)}.${(process.pid >> 8) % 250}.7`;

const router: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "router-a", namespace: "credit" },
  status: { podIP: ADDRESS },
};

/** A router whose first `broken` answers are cut off. */
async function withRouter(broken: number, work: () => Promise<void>): Promise<void> {
  const answers: Record<string, string> = {
    [REPORT_PATHS.ready]: "LIVE\n",
    [REPORT_PATHS.clustersVersion]: 'cluster_manager.cds.version_text: "c1"\n',
    [REPORT_PATHS.clusters]: '{"cluster_statuses":[]}',
    [REPORT_PATHS.routesHash]: "r1",
  };
  let left = broken;
  const server = createServer((request, response) => {
    if (request.url === REPORT_PATHS.routesHash && left-- > 0) response.destroy();
    else response.setHeader("connection", "close").end(answers[request.url ?? ""]);
  });
  await new Promise<void>((resolve) => server.listen(ROUTER_PORTS.status, ADDRESS, resolve));
  try {
    await work();
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("readRouters", () => {
  for (const [title, broken, known] of [
    ["what a router applies", 0, { clustersVersion: "c1", routesHash: "r1" }],
    ["what it applies although one answer was lost", 1, { clustersVersion: "c1", routesHash: "r1" }],
    ["nothing of one that does not answer again either", 2, {}],
  ] as const)
    it(`tells ${title}`, () =>
      withRouter(broken, async () => {
        const [told] = await readRouters([router], quiet);
        expect(told).to.deep.equal({ pod: "router-a", ...known, healthyHosts: new Map() });
      }));
});
