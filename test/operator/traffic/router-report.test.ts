import { expect } from "chai";
import { routerStatus, type RouterReport } from "../../../operator/traffic/router-report.ts";

const HEALTHY = { eds_health_status: "HEALTHY" };

const ok = (body: string) => ({ status: 200, body });

/** In the words of Envoy 1.40. */
const report = (hosts: readonly Record<string, unknown>[]): RouterReport => ({
  ready: ok("LIVE\n"),
  clustersVersion: ok('cluster_manager.cds.version_text: "e4fa11a8881be9b5"\n'),
  routesHash: ok("2a64023d380c80a4"),
  clusters: ok(
    JSON.stringify({
      cluster_statuses: [
        { name: "admin", host_statuses: [{ health_status: HEALTHY }] },
        { name: "v1-a", added_via_api: true, host_statuses: hosts.map((health_status) => ({ health_status })) },
        { name: "v2-a", added_via_api: true },
      ],
    }),
  ),
});

describe("a router's report", () => {
  it("gives versions, and healthy pods of the revisions only", () =>
    expect(routerStatus(report([HEALTHY, HEALTHY]))).to.deep.equal({
      ready: true,
      clustersVersion: "e4fa11a8881be9b5",
      routesHash: "2a64023d380c80a4",
      healthyHosts: new Map([
        ["v1-a", 2],
        ["v2-a", 0],
      ]),
    }));

  for (const flag of [
    "failed_active_health_check",
    "failed_outlier_check",
    "pending_active_hc",
    "pending_dynamic_removal",
  ]) {
    it(`does not count a pod with ${flag}`, () =>
      expect(routerStatus(report([HEALTHY, { ...HEALTHY, [flag]: true }])).healthyHosts.get("v1-a")).to.equal(1));
  }

  it("is not ready and has nothing while Envoy starts", () => {
    const starting = { status: 503, body: "PRE_INITIALIZING\n" };
    const none = { ready: starting, clustersVersion: ok(""), routesHash: starting, clusters: ok("{}") };
    expect(routerStatus(none)).to.deep.equal({
      ready: false,
      clustersVersion: "",
      routesHash: "",
      healthyHosts: new Map(),
    });
  });

  it("is an error when it is not in Envoy's form", () =>
    expect(() => routerStatus({ ...report([]), clusters: ok('{"cluster_statuses": {}}') })).to.throw());
});
