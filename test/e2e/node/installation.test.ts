import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { eventually } from "../../support/eventually.ts";
import { askTwice, askUntilTold, readAll } from "./client-scripts.ts";
import { Cluster } from "./cluster.ts";

/** Where the nodes find slipway-operator:dev and :next, slipway-runtime:dev and envoy:dev. */
const REGISTRY = process.env["SLIPWAY_E2E_REGISTRY"] ?? "localhost";
const SYSTEM = "slipway-system";
const MODELS = "models";
const HOST = `loan-predictor.${MODELS}.svc.cluster.local`;

interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string };
  status: { phase: string; containerStatuses?: { restartCount: number; image: string }[] };
}

interface ModelDeployment {
  metadata: { generation: number };
  spec: unknown;
  status: { url: string; split: string; observedGeneration: number; revisions: { revision: string; image: string }[] };
}

/** From `helm install` to `helm uninstall`: each test goes on from where the one before it stopped. */
describe("an installation on real nodes", function () {
  this.timeout(300_000);
  this.bail(true);
  let cluster: Cluster;
  let requests: ChildProcess | undefined;

  before(async function () {
    if (!process.env["KUBECONFIG"]) return this.skip();
    cluster = await Cluster.connect();
    for (const name of [SYSTEM, MODELS]) {
      const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
      await cluster.apply(name, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    }
  });

  afterEach(async function () {
    if (this.currentTest?.state === "failed") console.log(await cluster.situation(SYSTEM, MODELS));
  });
  after(async () => {
    requests?.kill();
    await cluster?.kubectl("delete", "namespace", MODELS, SYSTEM, "--ignore-not-found", "--wait=false");
  });

  it("installs, where only restricted pods are let in: one operator leads, the other stands by", async () => {
    await cluster.helm("install", "slipway", "charts/slipway", ...release("dev"));
    const operators = await pods(SYSTEM);
    expect(operators.map(({ status }) => status.phase)).to.deep.equal(["Running", "Running"]);
    const lease = await cluster.get<{ spec: { holderIdentity: string } }>("lease", "slipway-operator", "-n", SYSTEM);
    const leader = operators.find(({ metadata }) => lease.spec.holderIdentity.startsWith(metadata.name));
    expect(leader, `${lease.spec.holderIdentity} is no operator`).not.to.equal(undefined);
  });

  it("brings the loan example to Ready", async () => {
    await startClient();
    await cluster.kubectl("apply", "--namespace", MODELS, "--filename", "examples/loan/");
    await cluster.kubectl(
      "wait",
      "--namespace",
      MODELS,
      "--for=condition=Ready",
      "mdep/loan-predictor",
      "--timeout=180s",
    );
  });

  it("shows how it stands to `kubectl get` and why to `kubectl describe`", async () => {
    const [head = "", row = ""] = (await cluster.kubectl("get", "mdep", "-n", MODELS)).split("\n");
    expect(head.split(/\s+/)).to.include.members(["NAME", "READY", "PHASE", "SPLIT", "STEP", "URL", "AGE"]);
    expect(row).to.match(/^loan-predictor +True +Serving +v1:80 v2:20 +http:\/\/loan-predictor\.models\.svc +\d+/);
    const described = await cluster.kubectl("describe", "mdep", "loan-predictor", "-n", MODELS);
    for (const reason of ["RevisionCreated", "Ready"])
      expect(described).to.match(new RegExp(`Normal +${reason} .*slipway-operator`));
    const warnings = described.split("\n").filter((line) => /^ +Warning /.test(line));
    expect(warnings, "nothing went wrong").to.deep.equal([]);
  });

  it("answers inside the cluster by the Service's name, and each user by one version", async () => {
    const variants = await cluster.evaluate<string[][]>(MODELS, "client", askTwice(HOST, 60));
    const moved = variants.filter(([first, second]) => first !== second);
    expect(moved).to.deep.equal([]);
    const ofSecond = variants.filter(([first]) => first === "v2").length;
    expect(ofSecond, "of 60 users 20 % meet v2").to.be.within(3, 24);
  });

  it("shows its figures by the metrics Service: the leader's, of every revision", async () => {
    const url = `slipway-metrics.${SYSTEM}.svc`;
    const replicas = await cluster.evaluate<string[]>(MODELS, "client", readAll(url, 8080, "/metrics"));
    const leading = replicas.filter((text) => /^leader_election_master_status\{.*\} 1$/m.test(text));
    expect([replicas.length, leading.length]).to.deep.equal([2, 1]);
    const verified = [
      ...leading.join("").matchAll(/^slipway_revision_weight_percent\{(.*),kind="verified"\} (\d+)$/gm),
    ];
    expect(
      verified.map(([, labels, weight]) => `${/version="(.*?)"/.exec(labels ?? "")?.[1]}:${weight}`),
    ).to.have.members(["v1:80", "v2:20"]);
  });

  it("upgrades to another build with other defaults without rolling a model's pod or failing a request", async () => {
    const before = await modelPods();
    const revisions = await revisionsOf();
    requests = cluster.spawnIn(MODELS, "client", askUntilTold(HOST));
    const lines = linesOf(requests);
    expect((await lines.next()).value).to.equal("asking");

    const other = ["--set", "runtimeImage.tag=a-later-release", "--set", "operator.workers=4"];
    await cluster.helm("upgrade", "slipway", "charts/slipway", ...release("next"), ...other);
    const images = (await pods(SYSTEM)).flatMap(({ status }) => status.containerStatuses ?? []);
    expect(images.map(({ image }) => image)).to.deep.equal(Array(2).fill(`${REGISTRY}/slipway-operator:next`));
    await changeWeights(70, 30);

    await cluster.kubectl(
      "exec",
      "-n",
      MODELS,
      "client",
      "--",
      "node",
      "--eval",
      "fs.writeFileSync('/tmp/enough', '')",
    );
    const { value: report = "{}" } = await lines.next();
    const { answered, failed } = JSON.parse(report) as { answered: number; failed: string[] };
    expect(failed).to.deep.equal([]);
    expect(answered).to.be.above(50);
    expect(await modelPods()).to.deep.equal(before);
    expect(await revisionsOf()).to.deep.equal(revisions);
  });

  it("goes on serving when it is uninstalled, and keeps every ModelDeployment", async () => {
    const before = await modelPods();
    const { spec } = await modelDeployment();
    await cluster.helm("uninstall", "slipway", "--namespace", SYSTEM, "--wait");
    // Within the 30 s after which they would be killed.
    await cluster.kubectl(
      "wait",
      "-n",
      SYSTEM,
      "--for=delete",
      "pod",
      "-l",
      "app.kubernetes.io/name=slipway",
      "--timeout=20s",
    );
    expect((await modelDeployment()).spec).to.deep.equal(spec);
    const variants = await cluster.evaluate<string[][]>(MODELS, "client", askTwice(HOST, 20));
    expect(variants).to.have.length(20);
    expect(await modelPods()).to.deep.equal(before);
  });

  it("is installed again over what is there, and goes on with it", async () => {
    const before = await modelPods();
    await cluster.helm("install", "slipway", "charts/slipway", ...release("dev"));
    await changeWeights(60, 40);
    expect(await modelPods()).to.deep.equal(before);
  });

  it("leaves nothing behind of a ModelDeployment that is deleted", async () => {
    await cluster.kubectl("delete", "-n", MODELS, "mdep", "loan-predictor", "--wait");
    await eventually(async () => {
      const kinds = "deployments,services,configmaps,hpa,pdb,endpointslices";
      const labelled = await cluster.kubectl("get", kinds, "-n", MODELS, "-l", MANAGED, "-o", "name");
      expect(labelled).to.equal("");
    }, 60_000);
    await cluster.helm("uninstall", "slipway", "--namespace", SYSTEM, "--wait");
  });

  function release(tag: string): string[] {
    const values = {
      "image.registry": REGISTRY,
      "image.repository": "slipway-operator",
      "image.tag": tag,
      "runtimeImage.registry": REGISTRY,
      "runtimeImage.repository": "slipway-runtime",
      "runtimeImage.tag": "dev",
      "routerImage.registry": REGISTRY,
      "routerImage.repository": "envoy",
      "routerImage.tag": "dev",
      "operator.scaleDownDelay": "1",
    };
    const settings = Object.entries(values).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    return ["--namespace", SYSTEM, "--wait", "--timeout", "180s", ...settings];
  }

  /** A pod to ask from, with what is at hand: the runtime's image has Node. */
  async function startClient(): Promise<void> {
    const restricted = {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    };
    await cluster.apply(MODELS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "client" },
      spec: {
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "client",
            image: `${REGISTRY}/slipway-runtime:dev`,
            command: ["node", "--eval", "setInterval(() => {}, 60_000)"],
            securityContext: restricted,
            volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
          },
        ],
        volumes: [{ name: "tmp", emptyDir: {} }],
      },
    });
    await cluster.kubectl("wait", "-n", MODELS, "--for=condition=Ready", "pod/client", "--timeout=120s");
  }

  async function changeWeights(first: number, second: number): Promise<void> {
    const patch = [first, second].map((value, index) => ({
      op: "replace",
      path: `/spec/versions/${index}/weight`,
      value,
    }));
    await cluster.kubectl("patch", "mdep/loan-predictor", "-n", MODELS, "--type", "json", "-p", JSON.stringify(patch));
    await eventually(async () => {
      const { metadata, status } = await modelDeployment();
      expect(status.observedGeneration).to.equal(metadata.generation);
      expect(status.split).to.equal(`v1:${first} v2:${second}`);
    }, 60_000);
    await cluster.kubectl("wait", "-n", MODELS, "--for=condition=Ready", "mdep/loan-predictor", "--timeout=60s");
  }

  async function modelDeployment(): Promise<ModelDeployment> {
    return cluster.get("mdep", "loan-predictor", "-n", MODELS);
  }

  /** Revisions and the image that each was made with. */
  async function revisionsOf(): Promise<string[]> {
    const { status } = await modelDeployment();
    return status.revisions.map(({ revision, image }) => `${revision} of ${image}`).toSorted();
  }

  /** Every pod of models and routers: another uid or a restart shows that it was rolled. */
  async function modelPods(): Promise<string[]> {
    return (await pods(MODELS, MANAGED))
      .map(({ metadata, status }) => {
        const restarts = status.containerStatuses?.map(({ restartCount }) => restartCount) ?? [];
        return `${metadata.name} ${metadata.uid} restarted ${restarts.join(", ")} times`;
      })
      .toSorted();
  }

  async function pods(namespace: string, selector = ""): Promise<Pod[]> {
    const { items } = await cluster.get<{ items: Pod[] }>("pods", "-n", namespace, "-l", selector);
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }
});

function linesOf({ stdout }: ChildProcess): AsyncIterator<string, undefined> {
  if (stdout === null) throw new Error("its output is not piped");
  return createInterface(stdout)[Symbol.asyncIterator]();
}

const MANAGED = "serving.slipway.dev/model-deployment=loan-predictor";
