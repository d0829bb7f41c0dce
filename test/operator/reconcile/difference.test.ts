import { readFileSync } from "node:fs";
import { expect } from "chai";
import fastJsonPatch from "fast-json-patch";
import type { Operation } from "fast-json-patch";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { needsApply, withDesiredDigest } from "../../../operator/reconcile/difference.ts";
import { childKey } from "../../../operator/reconcile/resource-types.ts";

const { applyPatch } = fastJsonPatch;

const PAIRS = "test/golden/operator/observed";

/** Children as the operator wrote them, and as an API server gave them back. */
function pairs(example: string): { desired: KubeObject; observed: KubeObject }[] {
  const desired = parseAllDocuments(readFileSync(`${PAIRS}/${example}.yaml`, "utf8"));
  const observed = JSON.parse(readFileSync(`${PAIRS}/${example}.json`, "utf8")) as { items: KubeObject[] };
  return desired.map((document) => {
    const child = document.toJS() as KubeObject;
    const twin = observed.items.find((item) => childKey(item) === childKey(child));
    if (twin === undefined) throw new Error(`${PAIRS}/${example}.json has no ${childKey(child)}`);
    return { desired: child, observed: twin };
  });
}

function pair(example: string, kind: string): { desired: KubeObject; observed: KubeObject } {
  const found = pairs(example).findLast(({ desired }) => desired.kind === kind);
  if (found === undefined) throw new Error(`${example} has no ${kind}`);
  return found;
}

describe("needsApply", () => {
  for (const example of ["minimal", "as-asked-for", "autoscaled", "loan-example", "edges", "customized", "measured"])
    it(`writes nothing when the children of ${example} are as they should be`, () => {
      const written = pairs(example).filter(({ desired, observed }) => needsApply(desired, observed));
      expect(written.map(({ desired }) => childKey(desired))).to.deep.equal([]);
    });

  const drifts: [what: string, kind: string, patch: Operation[]][] = [
    ["one more label in the selector", "Service", [{ op: "add", path: "/spec/selector/app", value: "other" }]],
    [
      "one more label in the selector",
      "PodDisruptionBudget",
      [{ op: "add", path: "/spec/selector/matchLabels/app", value: "other" }],
    ],
    ["an image", "Deployment", [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "other:1" }]],
    ["the replicas", "Deployment", [{ op: "replace", path: "/spec/replicas", value: 1 }]],
    [
      "a memory limit",
      "Deployment",
      [{ op: "replace", path: "/spec/template/spec/containers/0/resources/limits/memory", value: "1Gi" }],
    ],
    [
      "a dropped capability",
      "Deployment",
      [{ op: "remove", path: "/spec/template/spec/containers/0/securityContext/capabilities" }],
    ],
    ["a removed variable", "Deployment", [{ op: "remove", path: "/spec/template/spec/containers/0/env/0" }]],
    ["a removed label", "Deployment", [{ op: "remove", path: "/metadata/labels/app.kubernetes.io~1managed-by" }]],
    ["a removed owner", "Deployment", [{ op: "remove", path: "/metadata/ownerReferences" }]],
    ["a port", "Service", [{ op: "replace", path: "/spec/ports/0/port", value: 81 }]],
    ["a selector", "Service", [{ op: "remove", path: "/spec/selector/serving.slipway.dev~1revision" }]],
    ["the disruption budget", "PodDisruptionBudget", [{ op: "replace", path: "/spec/maxUnavailable", value: 0 }]],
  ];
  for (const [what, kind, patch] of drifts)
    it(`repairs ${what} of a ${kind}`, () => {
      const { desired, observed } = pair("as-asked-for", kind);
      expect(needsApply(desired, applyPatch(observed, patch, true, false).newDocument)).to.equal(true);
    });

  const scaling: [what: string, patch: Operation[]][] = [
    ["the minimum", [{ op: "replace", path: "/spec/minReplicas", value: 1 }]],
    ["a metric's target", [{ op: "replace", path: "/spec/metrics/0/resource/target/averageUtilization", value: 90 }]],
    [
      "a metric that was added",
      [
        {
          op: "add",
          path: "/spec/metrics/-",
          value: {
            type: "Resource",
            resource: { name: "memory", target: { type: "Utilization", averageUtilization: 50 } },
          },
        },
      ],
    ],
  ];
  for (const [what, patch] of scaling)
    it(`repairs ${what} of an HPA`, () => {
      const { desired, observed } = pair("autoscaled", "HorizontalPodAutoscaler");
      expect(needsApply(desired, applyPatch(observed, patch, true, false).newDocument)).to.equal(true);
    });

  const additions: [what: string, kind: string, patch: Operation[]][] = [
    ["an annotation", "Deployment", [{ op: "add", path: "/metadata/annotations", value: { note: "theirs" } }]],
    [
      "an injected container",
      "Deployment",
      [{ op: "add", path: "/spec/template/spec/containers/-", value: { name: "sidecar", image: "proxy" } }],
    ],
    ["a status", "Deployment", [{ op: "add", path: "/status", value: { readyReplicas: 3 } }]],
    ["an address", "Service", [{ op: "add", path: "/spec/externalIPs", value: ["192.0.2.1"] }]],
  ];
  for (const [what, kind, patch] of additions)
    it(`leaves ${what} that others gave a ${kind}`, () => {
      const { desired, observed } = pair("as-asked-for", kind);
      expect(needsApply(desired, applyPatch(observed, patch, true, false).newDocument)).to.equal(false);
    });

  it("leaves the replicas of an autoscaled Deployment to its HPA", () => {
    const { desired, observed } = pair("autoscaled", "Deployment");
    const scaled = applyPatch(observed, [{ op: "replace", path: "/spec/replicas", value: 7 }], true, false).newDocument;
    expect(needsApply(desired, scaled)).to.equal(false);
  });
});

describe("withDesiredDigest", () => {
  const { desired } = pair("edges", "Deployment");

  it("makes a field that is wanted no longer a difference", () => {
    const written = withDesiredDigest(desired);
    const less = applyPatch(desired, [{ op: "remove", path: "/spec/template/spec/containers/0/env/0" }], true, false);
    expect(needsApply(written, written)).to.equal(false);
    expect(needsApply(withDesiredDigest(less.newDocument), written)).to.equal(true);
  });

  it("is the same for the same wish in another order", () => {
    const shuffled = Object.fromEntries(Object.entries(desired).toReversed()) as typeof desired;
    expect(withDesiredDigest(shuffled).metadata.annotations).to.deep.equal(
      withDesiredDigest(desired).metadata.annotations,
    );
  });
});
