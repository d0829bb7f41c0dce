import type { V1Pod } from "@kubernetes/client-node";
import { expect } from "chai";
import { LOAD_FAILURES } from "../../../runtime/contract.ts";
import { REVISION_REASONS } from "../../../operator/api/status.ts";
import { podFailure, worstFailure } from "../../../operator/status/pod-failure.ts";
import {
  containerStatus,
  lastWords,
  pod,
  readyPod,
  running,
  terminated,
  waiting,
} from "../../support/operator/pods.ts";

type Case = [title: string, pod: V1Pod, reason: string | undefined, permanent?: boolean, message?: RegExp];

const cases: Case[] = [
  ["nothing of a ready pod", readyPod(), undefined],
  [
    "nothing of a pod that goes",
    { metadata: { deletionTimestamp: new Date(0) }, status: { conditions: [] } },
    undefined,
  ],
  ["a pod without containers yet", { metadata: {}, status: {} }, "Starting", false],
  [
    "a container that is being created",
    pod({ state: waiting("ContainerCreating") }),
    "Starting",
    false,
    /ContainerCreating/,
  ],
  ["a model that loads", pod({ state: running, started: false }), "Starting", false, /loading/],
  ["a pod that was ready once", pod({ state: running, started: true }), "NotReady", false, /\/health/],
  [
    "a pod that no node takes",
    pod({}, { conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes: Insufficient memory" }] }),
    "Unschedulable",
    false,
    /Insufficient memory/,
  ],
  [
    "an image that is not there",
    pod({ state: waiting("ErrImagePull", "manifest unknown") }),
    "ImagePull",
    true,
    /runtime:1.*manifest unknown/,
  ],
  ["an image that is waited for", pod({ state: waiting("ImagePullBackOff") }), "ImagePull", true],
  ["an image's name that is none", pod({ state: waiting("InvalidImageName") }), "ImagePull", true],
  [
    "a Secret's key that is missing",
    pod({ state: waiting("CreateContainerConfigError", 'secret "token" not found') }),
    "InvalidConfiguration",
    true,
    /secret "token" not found/,
  ],
  ["a container over its memory", pod({ state: terminated(137, "OOMKilled") }), "OutOfMemory", false, /limits\.memory/],
  [
    "a container over its memory again",
    pod({ restartCount: 1, state: waiting("CrashLoopBackOff"), lastState: terminated(137, "OOMKilled") }),
    "OutOfMemory",
    true,
  ],
  [
    "another image's end",
    pod({
      restartCount: 1,
      state: waiting("CrashLoopBackOff"),
      lastState: terminated(1, "Error", "Traceback\nValueError: no"),
    }),
    "CrashLoop",
    false,
    /exit code 1: ValueError: no/,
  ],
  [
    "a container that was killed, without what it happened to log last",
    pod({ restartCount: 1, state: running, started: false, lastState: terminated(137, "Error", '{"msg":"ready"}') }),
    "Crashed",
    false,
    /^the container was killed \(SIGKILL\), though not for its memory; see kubectl logs --previous$/,
  ],
  [
    "an end for the fourth time",
    pod({ restartCount: 3, lastState: terminated(1, "Error"), state: waiting("CrashLoopBackOff") }),
    "CrashLoop",
    true,
  ],
  [
    "a termination message of another make",
    pod({ state: terminated(1, "Error", '{"reason":"Sadness","message":"no","permanent":true}') }),
    "Crashed",
    false,
  ],
  [
    "a first crash, which Kubernetes answers with another start at once",
    pod({ state: terminated(1, "Error", "Traceback\nValueError: no") }),
    "Crashed",
    false,
    /exit code 1: ValueError: no/,
  ],
  [
    "a container that runs again after its second end",
    pod({ restartCount: 2, state: running, started: false, lastState: terminated(1, "Error") }),
    "CrashLoop",
    false,
  ],
  [
    "a pod that its node has evicted",
    { status: { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." } },
    "Evicted",
    false,
    /low on resource: memory.*resources\.requests/,
  ],
  [
    "a pod that its node did not take",
    { status: { phase: "Failed", reason: "OutOfcpu", message: "Node didn't have enough resource" } },
    "Evicted",
    false,
    /OutOfcpu/,
  ],
  [
    "a command that is not in the image",
    pod({ state: waiting("RunContainerError", 'exec: "serve": executable file not found') }),
    "InvalidConfiguration",
    true,
    /executable file not found/,
  ],
  [
    "a registry that does not answer",
    pod({ state: waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout") }),
    "ImagePull",
    false,
  ],
  [
    "a model that loads beside a sidecar that runs",
    pod(
      { state: running, started: false },
      {
        initContainerStatuses: [containerStatus("logs", { state: running, started: true, ready: true })],
      },
    ),
    "Starting",
    false,
    /loading/,
  ],
  [
    "a sidecar that is not ready",
    {
      status: {
        containerStatuses: [
          containerStatus("runtime", { state: running, started: true, ready: true }),
          containerStatus("proxy", { state: running, started: true }),
        ],
      },
    },
    "NotReady",
    false,
    /the container proxy is not ready/,
  ],
  ...LOAD_FAILURES.map((reason): Case => [
    `the runtime's ${reason}`,
    pod({ state: terminated(1, "Error", lastWords(reason, true, "reading s3://m/")) }),
    reason,
    true,
    /^reading s3:\/\/m\/$/,
  ]),
  [
    "the runtime's last failure while it waits to try again",
    pod({
      restartCount: 4,
      state: waiting("CrashLoopBackOff"),
      lastState: terminated(1, "Error", lastWords("SourceUnavailable", false)),
    }),
    "SourceUnavailable",
    false,
  ],
  [
    "the runtime's last failure while it tries again",
    pod({
      restartCount: 4,
      state: running,
      started: false,
      lastState: terminated(1, "Error", lastWords("ArtifactNotFound", true)),
    }),
    "ArtifactNotFound",
    true,
  ],
  [
    "the model's failure behind an init container that has done its work",
    pod(
      { state: terminated(1, "Error", lastWords("DigestMismatch", true)) },
      { initContainerStatuses: [containerStatus("mesh-init", { state: terminated(0, "Completed") })] },
    ),
    "DigestMismatch",
    true,
  ],
  [
    "a model that loads behind an init container that has done its work",
    pod(
      { state: running, started: false },
      { initContainerStatuses: [containerStatus("mesh-init", { state: terminated(0, "Completed") })] },
    ),
    "Starting",
    false,
  ],
];

describe("podFailure", () => {
  for (const [title, given, reason, permanent, message] of cases)
    it(`tells ${title}${reason === undefined ? "" : ` as ${reason}`}`, () => {
      const failure = podFailure(given);
      expect(failure?.reason).to.equal(reason);
      if (permanent !== undefined) expect(failure?.permanent).to.equal(permanent);
      if (message !== undefined) expect(failure?.message).to.match(message);
    });

  it("has a case for every reason but those that no single pod shows", () =>
    expect(new Set(cases.flatMap(([, , reason]) => reason ?? []))).to.deep.equal(
      new Set(REVISION_REASONS.filter((reason) => !["QuotaExceeded", "DigestDrift", "NotScaling"].includes(reason))),
    ));

  it("keeps long last words short", () => {
    const failure = podFailure(pod({ state: terminated(1, "Error", "x".repeat(4_096)) }));
    expect(failure?.message.length).to.be.below(700);
  });
});

describe("worstFailure", () => {
  const evictedAt = new Date("2026-01-01T00:00:00Z");
  const evicted: V1Pod = {
    metadata: { creationTimestamp: new Date("2025-12-01T00:00:00Z") },
    status: {
      phase: "Failed",
      reason: "Evicted",
      conditions: [{ type: "DisruptionTarget", status: "True", lastTransitionTime: evictedAt }],
    },
  };
  const loading = pod({ state: running, started: false });
  const broken = pod({ state: terminated(1, "Error", lastWords("InvalidModel", true)) });

  it("prefers what does not pass by waiting", () => {
    expect(worstFailure([loading, broken])?.reason).to.equal("InvalidModel");
    expect(worstFailure([broken, loading])?.reason).to.equal("InvalidModel");
  });

  it("prefers what is known of the pods that are there to the end of one that was", () => {
    expect(worstFailure([evicted, pod({ state: running, started: true })])?.reason).to.equal("NotReady");
    expect(worstFailure([evicted])?.reason).to.equal("Evicted");
  });

  it("tells of an eviction while the pod in its place starts, and no longer", () => {
    const started = (time: string): V1Pod => ({
      metadata: { creationTimestamp: new Date(time) },
      status: { containerStatuses: [containerStatus("runtime", { state: running, started: false })] },
    });
    expect(worstFailure([evicted, started("2026-01-01T00:00:01Z")])?.reason).to.equal("Evicted");
    expect(worstFailure([evicted, started("2026-01-01T09:00:00Z")])?.reason).to.equal("Starting");
    expect(worstFailure([evicted, started("2026-01-01T00:00:01Z"), broken])?.reason).to.equal("InvalidModel");
  });

  it("is nothing when all pods are ready", () => expect(worstFailure([readyPod(), readyPod()])).to.equal(undefined));
});
