import { expect } from "chai";
import { stringify } from "yaml";
import { eventually } from "../../support/eventually.ts";
import { stockKubectl } from "../../support/kubectl.ts";
import type { Kubectl } from "../../support/kubectl.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";

function manifest(name: string, spec: object): string {
  return stringify({ apiVersion: "serving.slipway.dev/v1alpha1", kind: "ModelDeployment", metadata: { name }, spec });
}

const source = { uri: "configmap://loan-v1" };

describe("the stock kubectl", function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let kubectl: Kubectl;

  before(async () => {
    cluster = await startTestCluster("instant");
    await cluster.startOperator();
    kubectl = await stockKubectl(cluster.kubeconfigFile, cluster.namespace);
    expect(await succeeds(["apply", "-f", "-"], manifest("loan", { source, serving: { replicas: 2 } }))).to.equal(
      "modeldeployment.serving.slipway.dev/loan created\n",
    );
    await succeeds(["wait", "--for=condition=Ready", "mdep/loan", "--timeout=30s"]);
  });
  after(async () => cluster?.close());

  it("applies again without a change, and on the server's side", async () => {
    const same = manifest("loan", { source, serving: { replicas: 2 } });
    expect(await succeeds(["apply", "-f", "-"], same)).to.equal("modeldeployment.serving.slipway.dev/loan unchanged\n");
    expect(await succeeds(["apply", "--server-side", "-f", "-"], manifest("served", { source }))).to.equal(
      "modeldeployment.serving.slipway.dev/served serverside-applied\n",
    );
  });

  it("prints the columns that people look at", async () => {
    const [head, row] = (await succeeds(["get", "mdep", "loan"])).trim().split("\n");
    expect(head?.split(/\s+/)).to.deep.equal(["NAME", "READY", "PHASE", "SPLIT", "STEP", "URL", "AGE"]);
    expect(row).to.match(new RegExp(`^loan +True +Serving +v1:100 +http://loan\\.${cluster.namespace}\\.svc +\\d+s$`));
    const [wide] = (await succeeds(["get", "mdep", "loan", "-o", "wide"])).split("\n");
    expect(wide?.split(/\s+/)).to.include.members(["PODS", "REASON"]);
  });

  it("gets objects as YAML and JSON, by label, by field and across namespaces", async () => {
    const json = JSON.parse(await succeeds(["get", "mdep", "loan", "-o", "json"])) as { status: { phase: string } };
    expect(json.status.phase).to.equal("Serving");
    expect(await succeeds(["get", "mdep", "loan", "-o", "yaml"])).to.include("phase: Serving");
    const labelled = await succeeds([
      "get",
      "deployments",
      "-l",
      "serving.slipway.dev/model-deployment=loan",
      "-o",
      "name",
    ]);
    expect(labelled).to.match(/^deployment\.apps\/loan-v1-\w{8}\n$/);
    expect(await succeeds(["get", "mdep", "--field-selector", "metadata.name=loan", "-o", "name"])).to.include(
      "/loan\n",
    );
    expect(await succeeds(["get", "mdep", "-A"])).to.include(cluster.namespace);
  });

  it("describes an object with its conditions and events", async () => {
    await eventually(async () => {
      const text = await succeeds(["describe", "mdep", "loan"]);
      for (const part of [
        /Type:\s+Available/,
        /Type:\s+Ready/,
        /RevisionCreated .* v1-\w{8} is made from configmap:\/\/loan-v1/,
        /Ready .* this generation is fully live/,
      ])
        expect(text).to.match(part);
    });
  });

  it("scales, patches and waits", async () => {
    await succeeds(["scale", "mdep/loan", "--replicas=3"]);
    await succeeds(["wait", "--for=jsonpath={.status.readyReplicas}=3", "mdep/loan", "--timeout=30s"]);
    await succeeds(["patch", "mdep", "loan", "--type=merge", "-p", '{"spec":{"serving":{"replicas":1}}}']);
    await succeeds(["wait", "--for=jsonpath={.status.readyReplicas}=1", "mdep/loan", "--timeout=30s"]);
    await succeeds([
      "patch",
      "mdep",
      "loan",
      "--type=json",
      "-p",
      '[{"op":"replace","path":"/spec/serving/replicas","value":2}]',
    ]);
    await succeeds(["wait", "--for=condition=Ready", "mdep/loan", "--timeout=30s"]);
  });

  it("watches", async () => {
    const watching = kubectl(["get", "mdep", "watched", "-w", "-o", "name", "--request-timeout=4s"]);
    const again = kubectl(["get", "mdep", "-w", "-o", "name", "--request-timeout=4s"]);
    await succeeds(["apply", "-f", "-"], manifest("watched", { source }));
    expect((await again).stdout).to.include("modeldeployment.serving.slipway.dev/watched");
    await watching;
  });

  it("explains fields from the schema", async () => {
    expect(await succeeds(["explain", "mdep.spec.versions.weight"])).to.match(/Percent of the traffic/);
  });

  it("is told what is wrong with an object in the API server's words", async () => {
    const versions = [
      { name: "v1", weight: 80, source },
      { name: "v2", weight: 10, source },
    ];
    const unequal = await kubectl(["apply", "-f", "-"], manifest("unequal", { versions }));
    expect(unequal).to.deep.include({ code: 1, stdout: "" });
    expect(unequal.stderr).to.match(
      /The ModelDeployment "unequal" is invalid: .*spec\.versions: Invalid value: .*the weights must sum to 100/s,
    );
    const { stderr } = await kubectl(["apply", "-f", "-"], manifest("typo", { source, serving: { replica: 3 } }));
    expect(stderr).to.include('unknown field "spec.serving.replica"');
  });

  it("deletes an object and all that was made of it", async () => {
    await succeeds(["apply", "-f", "-"], manifest("gone", { source }));
    await succeeds(["wait", "--for=condition=Ready", "mdep/gone", "--timeout=30s"]);
    await succeeds(["delete", "mdep", "gone"]);
    await eventually(async () => {
      expect(
        await succeeds(["get", "deploy,svc,pdb,pods", "-l", "serving.slipway.dev/model-deployment=gone", "-o", "name"]),
      ).to.equal("");
    }, 90_000); // a real garbage collector learns of new kinds of owners every 30 s only
  });

  async function succeeds(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await kubectl(args, input);
    expect(code, `kubectl ${args.join(" ")}: ${stderr}`).to.equal(0);
    return stdout;
  }
});
