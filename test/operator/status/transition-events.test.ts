import { expect } from "chai";
import type { Condition, ModelDeploymentStatus, RevisionStatus } from "../../../operator/api/status.ts";
import { transitionEvents } from "../../../operator/status/transition-events.ts";

const revision = (fields: Partial<RevisionStatus> = {}): RevisionStatus => ({
  revision: "v1-aaaaaaaa",
  version: "v1",
  state: "Starting",
  uri: "s3://models/loan/1/",
  image: "runtime:1",
  replicas: 2,
  readyReplicas: 0,
  weight: { desired: 100, applied: 100 },
  ...fields,
});

const condition = (type: string, status: Condition["status"], reason: string, message = "why"): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: "2026-01-01T00:00:00Z",
  observedGeneration: 1,
});

const notFound = { state: "Failed", reason: "ArtifactNotFound", message: "nothing at s3://models/loan/1/" } as const;

describe("transitionEvents", () => {
  const table: [title: string, before: ModelDeploymentStatus, after: ModelDeploymentStatus, events: string[]][] = [
    ["says nothing when nothing changed", { revisions: [revision(notFound)] }, { revisions: [revision(notFound)] }, []],
    [
      "says nothing of counts",
      { revisions: [revision({ readyReplicas: 1 })] },
      { revisions: [revision({ readyReplicas: 2 })] },
      [],
    ],
    [
      "tells of a new revision and where its model is from",
      {},
      { revisions: [revision()] },
      ["Normal RevisionCreated: v1-aaaaaaaa is made from s3://models/loan/1/"],
    ],
    [
      "tells of a failure with its reason",
      { revisions: [revision()] },
      { revisions: [revision(notFound)] },
      ["Warning ArtifactNotFound: v1-aaaaaaaa: nothing at s3://models/loan/1/"],
    ],
    [
      "says nothing of what is routine while a model loads",
      { revisions: [revision()] },
      { revisions: [revision({ reason: "Starting", message: "the model is loading" })] },
      [],
    ],
    [
      "tells of the first ready pod",
      { revisions: [revision()] },
      { revisions: [revision({ state: "Serving", readyReplicas: 1 })] },
      ["Normal RevisionReady: v1-aaaaaaaa has ready pods"],
    ],
    [
      "says once that all is live, when the first pod made it so",
      { revisions: [revision()], conditions: [condition("Ready", "Unknown", "WaitingForReplicas")] },
      { revisions: [revision({ readyReplicas: 1 })], conditions: [condition("Ready", "True", "Live")] },
      ["Normal Ready: this generation is fully live"],
    ],
    [
      "tells of a drain",
      { revisions: [revision({ state: "Serving", readyReplicas: 2 })] },
      { revisions: [revision({ state: "Draining", readyReplicas: 2 })] },
      ["Normal RevisionDraining: v1-aaaaaaaa takes no new requests and goes soon"],
    ],
    [
      "tells of the end of a drain",
      { revisions: [revision({ state: "Draining" })] },
      { revisions: [] },
      ["Normal RevisionRemoved: v1-aaaaaaaa has drained and is gone"],
    ],
    ["says nothing of the first split, which takes traffic from nobody", {}, { split: "v1:100" }, []],
    [
      "tells of a shift",
      { split: "v1:100" },
      { split: "v1:80 v2:20" },
      ["Normal TrafficShifted: traffic goes from v1:100 to v1:80 v2:20"],
    ],
    [
      "tells once that the generation is live",
      { conditions: [condition("Ready", "Unknown", "WaitingForReplicas")] },
      { conditions: [condition("Ready", "True", "Live")] },
      ["Normal Ready: this generation is fully live"],
    ],
    [
      "tells that nothing serves any more",
      { conditions: [condition("Available", "True", "Serving")] },
      { conditions: [condition("Available", "False", "NoReadyPods", "no version has a ready pod")] },
      ["Warning Unavailable: no version has a ready pod"],
    ],
    [
      "does not call unavailable what never was",
      {},
      { conditions: [condition("Available", "False", "NoReadyPods")] },
      [],
    ],
    [
      "tells when it is stuck, and again when on something else",
      { conditions: [condition("Stalled", "True", "NotOwned", "Service/loan")] },
      { conditions: [condition("Stalled", "True", "NotOwned", "ConfigMap/loan-traffic")] },
      ["Warning NotOwned: ConfigMap/loan-traffic"],
    ],
    [
      "tells once of a failure by which it is stuck",
      { revisions: [revision()] },
      {
        revisions: [revision(notFound)],
        conditions: [condition("Stalled", "True", notFound.reason, `v1-aaaaaaaa: ${notFound.message}`)],
      },
      ["Warning ArtifactNotFound: v1-aaaaaaaa: nothing at s3://models/loan/1/"],
    ],
  ];
  for (const [title, before, after, events] of table)
    it(title, () =>
      expect(
        transitionEvents(before, after).map(({ type, reason, message }) => `${type} ${reason}: ${message}`),
      ).to.deep.equal(events),
    );
});
