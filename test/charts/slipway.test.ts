import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect } from "chai";
import { parse } from "yaml";
import { readConfig } from "../../operator/config.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { renderChart } from "../support/chart.ts";
import type { Values } from "../support/chart.ts";
import { expectGolden } from "../support/operator/golden.ts";
import { findProgram } from "../support/programs.ts";

describe("the chart", function () {
  this.timeout(120_000);

  const isCrd = ({ kind }: KubeObject): boolean => kind === "CustomResourceDefinition";

  it("passes helm's own checks", async () => {
    const helm = await findProgram("helm");
    const { stdout } = await promisify(execFile)(helm, ["lint", "--strict", "charts/slipway"]);
    expect(stdout).to.include("1 chart(s) linted, 0 chart(s) failed");
  });

  for (const [name, values] of [
    ["default", {}],
    ["some-namespaces", { watchNamespaces: ["credit", "fraud"], "crds.install": false }],
    [
      "everything",
      {
        replicas: 3,
        "image.digest": `sha256:${"0".repeat(64)}`,
        imagePullSecrets: [{ name: "registry" }],
        "serviceAccount.annotations": { "example.com/role": "slipway" },
        "operator.logLevel": "info,kube=debug",
        "operator.profilingPort": 6060,
        "operator.extraArgs": ["--bind-address=::"],
        "operator.extraEnv": [{ name: "HTTPS_PROXY", value: "http://proxy:3128" }],
        "metrics.service.annotations": { "example.com/scrape": "true" },
        "metrics.serviceMonitor.enabled": true,
        "metrics.serviceMonitor.labels": { release: "prometheus" },
        podLabels: { team: "ml" },
        podAnnotations: { "example.com/note": "yes" },
        nodeSelector: { "kubernetes.io/os": "linux" },
        tolerations: [{ key: "dedicated", operator: "Exists" }],
        affinity: { nodeAffinity: {} },
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "rack", whenUnsatisfiable: "DoNotSchedule" }],
        priorityClassName: "system-cluster-critical",
      },
    ],
    ["openshift", { openshift: true, "crds.install": false, replicas: 1 }],
    [
      "least",
      {
        replicas: 1,
        "rbac.create": false,
        "rbac.aggregate": false,
        "serviceAccount.create": false,
        "serviceAccount.name": "made-elsewhere",
        "metrics.service.enabled": false,
        "crds.install": false,
      },
    ],
  ] as const satisfies readonly [string, Values][])
    it(`renders as in ${name}.yaml, and the same each time`, async () => {
      const objects = await renderChart("slipway-system", values);
      // The CRD is compared with its own source below.
      expectGolden(
        `test/golden/chart/${name}.yaml`,
        objects.filter((object) => !isCrd(object)),
      );
      expect(await renderChart("slipway-system", values)).to.deep.equal(objects);
    });

  it("brings the CRD as it is generated, and keeps it on uninstall unless told otherwise", async () => {
    const crd = parse(await readFile("crds/modeldeployments.serving.slipway.dev.yaml", "utf8")) as { spec: unknown };
    const kept = (await renderChart("slipway-system")).find(isCrd);
    expect(kept).to.have.property("spec").that.deep.equals(crd.spec);
    expect(kept?.metadata.annotations).to.deep.equal({ "helm.sh/resource-policy": "keep" });
    const dropped = (await renderChart("slipway-system", { "crds.keep": false })).find(isCrd);
    expect(dropped?.metadata.annotations).to.equal(undefined);
  });

  it("needs nothing that has to be up before it: no webhook, no certificate, no other operator's resource", async () => {
    const groups = (await renderChart("slipway-system")).map(({ apiVersion }) => apiVersion.split("/").at(-2) ?? "");
    const builtIn = ["", "apps", "apiextensions.k8s.io", "policy", "rbac.authorization.k8s.io"];
    expect([...new Set(groups)].filter((group) => !builtIn.includes(group))).to.deep.equal([]);
  });

  for (const [title, values, message] of [
    ["a misspelt value", { replica: 3 }, "'replica' not allowed"],
    ["a misspelt value within another", { operator: { loglevel: "debug" } }, "'loglevel' not allowed"],
    ["a level that there is not", { "operator.logLevel": "loud" }, "does not match pattern"],
    ["a name that no namespace has", { watchNamespaces: ["Credit"] }, "does not match pattern"],
    ["a tag in place of a digest", { "image.digest": "latest" }, "does not match pattern"],
    ["a ServiceAccount without a name", { "serviceAccount.create": false }, "name the one to use"],
    [
      "a ServiceMonitor of nothing",
      { "metrics.service.enabled": false, "metrics.serviceMonitor.enabled": true },
      "needs metrics.service.enabled",
    ],
  ] as const satisfies readonly [string, Values, string][])
    it(`refuses ${title}`, async () => {
      const refusal = await renderChart("slipway-system", values).then(
        () => "rendered",
        (error: Error) => error.message,
      );
      expect(refusal).to.include(message);
    });

  it("is of the project's version, and takes the images that the operator itself would", async () => {
    const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
    const chart = parse(await readFile("charts/slipway/Chart.yaml", "utf8")) as object;
    expect(chart).to.include({ version, appVersion: version });
    const { runtimeImage, routerImage } = readConfig(["node", "main.js"], "host");
    const rendered = JSON.stringify(await renderChart("slipway-system", { "crds.install": false }));
    expect(rendered).to.include(`"--runtime-image=${runtimeImage}"`);
    expect(rendered).to.include(`"--router-image=docker.io/${routerImage}"`);
  });

  it("names the Node of the project in both images", async () => {
    const manifest = JSON.parse(await readFile("package.json", "utf8")) as { devDependencies: { node: string } };
    for (const file of ["Dockerfile.operator", "Dockerfile.runtime"])
      expect(await readFile(file, "utf8")).to.include(
        `ARG BASE=node:${manifest.devDependencies.node}-bookworm-slim\n`,
        file,
      );
  });
});
