import { expect } from "chai";
import { parse } from "yaml";
import type { Pod, Service } from "../../../local/cluster/objects.ts";
import { localBootstrap, localClusters } from "../../../local/kubelet/router-config.ts";
import { clustersConfig } from "../../../operator/traffic/envoy-clusters.ts";
import { bootstrapConfig } from "../../../operator/traffic/envoy-bootstrap.ts";

const metadata = { namespace: "credit", uid: "1", resourceVersion: "1" };
const service: Service = {
  metadata: { ...metadata, name: "loan-v1" },
  spec: { clusterIP: "None", selector: { app: "loan" }, ports: [{ port: 8000, targetPort: "http" }] },
};
const pod = (podIP: string, ready: boolean, more: object = {}): Pod => ({
  metadata: { ...metadata, name: podIP, labels: { app: "loan" }, ...more },
  spec: { containers: [{ name: "main", ports: [{ name: "http", containerPort: 8000 }] }] },
  status: { podIP, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});

const { text } = clustersConfig([{ revision: "v1-abc", version: "v1", serviceHost: "loan-v1.credit.svc", port: 8000 }]);
interface Clusters {
  version_info: string;
  resources: { type: string; load_assignment: { endpoints: unknown } }[];
}
const local = (pods: Pod[], services = [service]): Clusters =>
  parse(
    localClusters(text, {
      service: (namespace, name) =>
        services.find(({ metadata: found }) => found.name === name && found.namespace === namespace),
      pods: () => pods,
    }),
  ) as Clusters;
const endpoint = (address: string) => ({ endpoint: { address: { socket_address: { address, port_value: 8000 } } } });

describe("a router's clusters on this machine", () => {
  it("name the ready pods of the Service, without those that end or belong to others", () => {
    const pods = [
      pod("127.77.0.3", true),
      pod("127.77.0.2", true),
      pod("127.77.0.4", false),
      pod("127.77.0.5", true, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
      pod("127.77.0.6", true, { labels: { app: "other" } }),
      pod("127.77.0.7", true, { namespace: "other" }),
    ];
    const [cluster] = local(pods).resources;
    expect(cluster).to.include({ type: "STATIC" });
    expect(cluster?.load_assignment.endpoints).to.deep.equal([
      { lb_endpoints: ["127.77.0.2", "127.77.0.3"].map(endpoint) },
    ]);
  });

  it("are empty while the Service is not there", () =>
    expect(local([pod("127.77.0.2", true)], []).resources[0]?.load_assignment.endpoints).to.deep.equal([
      { lb_endpoints: [] },
    ]));

  it("are otherwise as the operator wrote them", () => {
    const original = parse(text) as Clusters;
    const changed = local([pod("127.77.0.2", true)]);
    expect(changed.version_info).to.equal(original.version_info);
    expect(changed.resources.map(withoutAddresses)).to.deep.equal(original.resources.map(withoutAddresses));
  });

  it("have nothing left of DNS, which a cluster of fixed addresses does not know", () => {
    const withDns = text.replace(
      "type: STRICT_DNS",
      "type: STRICT_DNS\n    dns_refresh_rate: 3s\n    respect_dns_ttl: false",
    );
    expect(localClusters(withDns, { service: () => service, pods: () => [] })).not.to.match(/dns/i);
  });

  it("keep names of the outside world, which DNS knows", () => {
    const outside = text.replace("loan-v1.credit.svc", "models.example.com");
    expect(localClusters(outside, { service: () => service, pods: () => [] })).to.contain("STRICT_DNS");
  });
});

describe("a router's bootstrap on this machine", () => {
  const bootstrap = localBootstrap(bootstrapConfig({ namespace: "credit", name: "loan" }), "127.77.0.9", (path) =>
    path.replace(/^\/etc/, "/pods/1/etc"),
  );

  it("binds and asks the pod's own address only", () => {
    expect(bootstrap).not.to.match(/0\.0\.0\.0|127\.0\.0\.1/);
    expect(bootstrap.match(/address: 127\.77\.0\.9/g)).to.have.lengthOf(5);
  });

  it("reads the files where they are", () => {
    expect(bootstrap).to.contain("path: /pods/1/etc/slipway/traffic/routes.yaml");
    expect(bootstrap).to.contain("path: /ready\n");
  });
});

function withoutAddresses(cluster: Clusters["resources"][number]): object {
  const rest = Object.entries(cluster).filter(([field]) => !/^(type|load_assignment|.*dns.*)$/.test(field));
  return Object.fromEntries(rest) as object;
}
