import { expect } from "chai";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { ownershipOf } from "../../../operator/reconcile/ownership.ts";
import { modelDeploymentObject } from "../../support/operator/model-deployment.ts";

const owner = modelDeploymentObject({ source: { uri: "s3://m/" } });

const reference = (uid: string, controller: boolean) => ({
  apiVersion: "serving.slipway.dev/v1alpha1",
  kind: "ModelDeployment",
  name: "loan",
  uid,
  controller,
});

const ourLabels = { "app.kubernetes.io/managed-by": "slipway", "serving.slipway.dev/model-deployment": "loan" };

const child = (metadata: Partial<KubeObject["metadata"]>): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "loan", namespace: "credit", ...metadata },
});

describe("ownershipOf", () => {
  for (const [title, metadata, ownership] of [
    ["that this object controls is ours", { ownerReferences: [reference(owner.metadata.uid!, true)] }, "Ours"],
    [
      "that an earlier object of this name controls is foreign",
      { labels: ourLabels, ownerReferences: [reference("another", true)] },
      "Foreign",
    ],
    ["that lost its owner and bears our labels can be adopted", { labels: ourLabels }, "Adoptable"],
    [
      "that others own without controlling it can be adopted by its labels",
      { labels: ourLabels, ownerReferences: [reference("another", false)] },
      "Adoptable",
    ],
    ["of our name without our labels is foreign", {}, "Foreign"],
    [
      "that bears another object's label is foreign",
      { labels: { ...ourLabels, "serving.slipway.dev/model-deployment": "churn" } },
      "Foreign",
    ],
    [
      "that another tool manages is foreign",
      { labels: { ...ourLabels, "app.kubernetes.io/managed-by": "Helm" } },
      "Foreign",
    ],
  ] as const)
    it(`says that a child ${title}`, () =>
      expect(ownershipOf(child(metadata as Partial<KubeObject["metadata"]>), owner)).to.equal(ownership));
});
