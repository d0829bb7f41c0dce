import type { CoreV1Event, V1ContainerState, V1ContainerStatus } from "@kubernetes/client-node";
import { expect } from "chai";
import { events, objectPath, pods } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { LOAD_FAILURES } from "../../../runtime/contract.ts";
import { eventually } from "../../support/eventually.ts";
import { containerStatus, lastWords, running, terminated, waiting } from "../../support/operator/pods.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture, condition, oneVersion } from "./fixture.ts";

/** Seconds from the pod's failure to what the user sees of it. */
const WITHIN_MS = 10_000;

interface Failure {
  readonly reason: string;
  readonly container: Partial<V1ContainerStatus>;
  /** Whether waiting is said to be of no use. */
  readonly permanent: boolean;
  readonly message: RegExp;
}

const back = (lastState: V1ContainerState, restartCount: number): Partial<V1ContainerStatus> => ({
  restartCount,
  lastState,
  state: waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
});

const failures: readonly Failure[] = [
  ...LOAD_FAILURES.map((reason) => ({
    reason,
    container: back(
      terminated(1, "Error", lastWords(reason, reason !== "SourceUnavailable", `what to do about ${reason}`)),
      1,
    ),
    permanent: reason !== "SourceUnavailable",
    message: new RegExp(`what to do about ${reason}`),
  })),
  {
    reason: "OutOfMemory",
    container: back(terminated(137, "OOMKilled"), 1),
    permanent: true,
    message: /raise serving\.resources\.limits\.memory/,
  },
  {
    reason: "ImagePull",
    container: { state: waiting("ErrImagePull", "manifest for runtime:1 not found") },
    permanent: true,
    message: /not found; is the name right/,
  },
  {
    reason: "InvalidConfiguration",
    container: { state: waiting("CreateContainerConfigError", 'secret "db" not found') },
    permanent: true,
    message: /secret "db" not found/,
  },
  {
    reason: "Crashed",
    container: { state: terminated(1, "Error", "ValueError: no") },
    permanent: false,
    message: /ValueError/,
  },
  {
    reason: "CrashLoop",
    container: back(terminated(1, "Error", "ValueError: no"), 4),
    permanent: true,
    message: /ValueError/,
  },
];

describe("a failure of a version's pods", function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let fixture: Fixture;

  before(async () => {
    cluster = await startTestCluster("instant");
    fixture = new Fixture(cluster);
    await cluster.startOperator();
  });
  after(async () => cluster?.close());

  for (const [index, { reason, container, permanent, message }] of failures.entries())
    it(`is told as ${reason}, in the status and by an Event (${index + 1})`, async () => {
      const name = `failing-${index + 1}`;
      await fixture.apply(name, oneVersion);
      await fixture.ready(name);
      await report(name, container);
      const object = await fixture.until(
        name,
        ({ status }) => status?.revisions?.[0]?.reason === reason && status.readyReplicas === 0,
        WITHIN_MS,
      );
      const [revision] = object.status?.revisions ?? [];
      expect(revision?.message).to.match(message);
      expect(revision?.state).to.equal(permanent ? "Failed" : "Starting");
      expect(condition(object, "Stalled")?.reason).to.equal(permanent ? reason : undefined);
      expect(condition(object, "Available")).to.include({ status: "False", reason: "NoReadyPods" });
      await eventually(async () => {
        const told = (await fixture.list<CoreV1Event & KubeObject>(events)).filter((event) => event.reason === reason);
        expect(told.map((event) => event.message ?? "").some((text) => message.test(text))).to.equal(true);
      }, WITHIN_MS);
    });

  it("is told as NotReady with what the probe got, and is over as soon as the pods are ready", async () => {
    await fixture.apply("probed", oneVersion);
    await fixture.ready("probed");
    const pod = await podOf("probed");
    const said = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    await fixture.create(
      events,
      fixture.object("v1", "Event", "failing-probe", {
        type: "Warning",
        reason: "Unhealthy",
        message: said,
        involvedObject: {
          apiVersion: "v1",
          kind: "Pod",
          name: pod.metadata.name,
          namespace: cluster.namespace,
          uid: pod.metadata.uid,
        },
        firstTimestamp: new Date().toISOString(),
        lastTimestamp: new Date().toISOString(),
      }),
    );
    await report("probed", { state: running, started: true });
    const object = await fixture.until(
      "probed",
      ({ status }) => status?.revisions?.[0]?.reason === "NotReady",
      WITHIN_MS,
    );
    expect(object.status?.revisions?.[0]?.message).to.equal(`GET /health: ${said}`);
    expect(condition(object, "Ready")).to.include({ status: "Unknown", reason: "WaitingForReplicas" });
    await report("probed", { state: running, started: true, ready: true });
    const again = await fixture.ready("probed", WITHIN_MS);
    expect(again.status?.revisions?.[0]).to.not.have.property("reason");
    expect(condition(again, "Reconciling")).to.equal(undefined);
  });

  it("is told as Unschedulable in the scheduler's words", async () => {
    const podTemplate = { spec: { nodeSelector: { nowhere: "yes" } } };
    await fixture.apply("unplaced", { ...oneVersion, serving: { podTemplate } });
    const object = await fixture.until(
      "unplaced",
      ({ status }) => status?.revisions?.[0]?.reason === "Unschedulable",
      WITHIN_MS,
    );
    expect(object.status?.revisions?.[0]?.message).to.match(/node affinity\/selector/);
    expect(condition(object, "Stalled")).to.equal(undefined);
  });

  async function podOf(object: string): Promise<KubeObject> {
    const [pod] = await fixture.list(pods, `serving.slipway.dev/model-deployment=${object}`);
    if (pod === undefined) throw new Error(`${object} has no pod`);
    return pod;
  }

  /** What a kubelet would say of the pod. */
  async function report(object: string, container: Partial<V1ContainerStatus>): Promise<void> {
    const { name, namespace = "" } = (await podOf(object)).metadata;
    const status = container.ready === true ? "True" : "False";
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    await cluster.client.request("PATCH", objectPath(pods, { name, namespace }, "status"), {
      contentType: "application/merge-patch+json",
      body: {
        status: {
          conditions: [
            { type: "PodScheduled", status: "True", lastTransitionTime },
            { type: "Initialized", status: "True", lastTransitionTime },
            { type: "ContainersReady", status, lastTransitionTime },
            { type: "Ready", status, lastTransitionTime },
          ],
          containerStatuses: [containerStatus("runtime", container)],
        },
      },
    });
  }
});
