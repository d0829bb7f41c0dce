import { expect } from "chai";
import { keptOfChild } from "../../../operator/reconcile/kept-fields.ts";
import { turnOf } from "../../../operator/reconcile/turn.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";

let version = 1;

/** A state of the one object of its kind, as a watch tells of it. */
function state(kind: string, more: { metadata?: object; spec?: object; status?: object } = {}): KubeObject {
  version += 1;
  const metadata = { name: "loan", namespace: "credit", uid: kind, resourceVersion: String(version), ...more.metadata };
  const object = { apiVersion: "v1", kind, spec: {}, ...more, metadata };
  return kind === "Pod" || kind === "ModelDeployment" ? object : keptOfChild(object);
}

const turn = (old: KubeObject | undefined, current: KubeObject | undefined, isOurs = false) =>
  turnOf({ old, current, isOurs });

const atOnce = { priority: "normal" };
const soon = { priority: "normal", afterMs: 1_000 };
const behind = { priority: "low", afterMs: 1_000 };

describe("the turn of a change", () => {
  const AT_ONCE: [string, KubeObject, KubeObject | undefined][] = [
    ["a spec", state("ModelDeployment"), state("ModelDeployment", { spec: { suspend: true } })],
    [
      "a deletion that began",
      state("ModelDeployment"),
      state("ModelDeployment", { metadata: { deletionTimestamp: "" } }),
    ],
    ["a deletion", state("ModelDeployment"), undefined],
    [
      "somebody's erasing of the status",
      state("ModelDeployment", { status: { phase: "Serving" } }),
      state("ModelDeployment"),
    ],
    ["ready pods of a Deployment", state("Deployment"), state("Deployment", { status: { readyReplicas: 1 } })],
    [
      "a quota that keeps a Deployment from its pods",
      state("Deployment"),
      state("Deployment", { status: { conditions: [{ type: "ReplicaFailure", status: "True" }] } }),
    ],
    ["a child that somebody edited", state("Deployment"), state("Deployment", { spec: { paused: true } })],
    ["a child that somebody deleted", state("Service"), undefined],
    [
      "an HPA that somebody edited",
      state("HorizontalPodAutoscaler"),
      state("HorizontalPodAutoscaler", { spec: { a: 1 } }),
    ],
    ["an address", state("Service"), state("Service", { status: { loadBalancer: { ingress: [{ ip: "10.0.0.1" }] } } })],
  ];
  for (const [what, old, current] of AT_ONCE)
    it(`is at once for ${what}`, () => expect(turn(old, current)).to.deep.equal(atOnce));

  const SOON: [string, KubeObject, KubeObject | undefined][] = [
    ["a step of a pod's start", state("Pod"), state("Pod", { status: { phase: "Running" } })],
    ["a pod that went", state("Pod"), undefined],
    [
      "what an HPA says",
      state("HorizontalPodAutoscaler"),
      state("HorizontalPodAutoscaler", { status: { conditions: [{ type: "ScalingActive", status: "False" }] } }),
    ],
  ];
  for (const [what, old, current] of SOON)
    it(`comes with what else is told within a second for ${what}`, () =>
      expect(turn(old, current)).to.deep.equal(soon));

  it("is behind what changed for a new object, and for children that it made", () => {
    expect(turn(undefined, state("ModelDeployment"))).to.deep.equal({ priority: "low" });
    expect(turn(undefined, state("Service"))).to.deep.equal(behind);
    expect(
      turn(state("Service"), state("Service", { metadata: { annotations: { record: "2" } } }), true),
    ).to.deep.equal(behind);
  });

  const NONE: [string, KubeObject, KubeObject][] = [
    ["a version that changed nothing", state("ModelDeployment"), state("ModelDeployment")],
    [
      "counts that nobody reads",
      state("Deployment", { status: { readyReplicas: 1 } }),
      state("Deployment", { status: { readyReplicas: 1, updatedReplicas: 1, observedGeneration: 2 } }),
    ],
    [
      "a Deployment's count of its rollouts",
      state("Deployment", { metadata: { annotations: {} } }),
      state("Deployment", { metadata: { annotations: { "deployment.kubernetes.io/revision": "1" } } }),
    ],
    [
      "what an HPA measures",
      state("HorizontalPodAutoscaler", { status: { currentMetrics: [1] } }),
      state("HorizontalPodAutoscaler", { status: { currentMetrics: [2] } }),
    ],
    [
      "a budget's allowance",
      state("PodDisruptionBudget"),
      state("PodDisruptionBudget", { status: { disruptionsAllowed: 1 } }),
    ],
  ];
  for (const [what, old, current] of NONE)
    it(`never comes for ${what}`, () => expect(turn(old, current)).to.equal(undefined));

  it("never comes for the operator's own status, unless a relist hides somebody's change behind it", () => {
    const [old, written] = [state("ModelDeployment"), state("ModelDeployment", { status: { phase: "Serving" } })];
    expect(turn(old, written, true)).to.equal(undefined);
    expect(turn(old, written, false)).to.deep.equal(atOnce);
    const hidden = state("ModelDeployment", { status: { phase: "Serving" }, spec: { suspend: true } });
    expect(turn(old, hidden, true)).to.deep.equal(atOnce);
  });
});
