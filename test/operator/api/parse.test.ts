import { expect } from "chai";
import { parseModelDeployment } from "../../../operator/api/parse.ts";
import { invalidObjects } from "../../support/operator/invalid-objects.ts";
import { modelDeploymentObject } from "../../support/operator/model-deployment.ts";

const object = (spec: object, name = "loan") => ({ ...modelDeploymentObject({}, { name }), spec });

describe("parseModelDeployment", () => {
  for (const { title, name, spec, field } of invalidObjects)
    it(`refuses ${title}, and names the field`, () => {
      const parsed = parseModelDeployment(object(spec, name));
      expect(parsed.ok ? [] : parsed.problems.map((problem) => problem.field)).to.include(field);
    });

  const source = { uri: "s3://models/loan/1/" };
  for (const [title, spec] of [
    ["the short form", { source }],
    ["one version without a weight", { versions: [{ name: "v1", source }] }],
    [
      "a version without a share",
      {
        versions: [
          { name: "v1", weight: 100, source },
          { name: "v2", weight: 0, source },
        ],
      },
    ],
    ["a version's name that starts with a digit", { versions: [{ name: "1-0-0", source }] }],
    ["a ConfigMap's name with dots", { source: { uri: "configmap://loan.v1" } }],
    ["a file's path", { source: { uri: "file:///models/loan" } }],
    ["credentials for https", { source: { uri: "https://host/model.onnx", secretRef: { name: "web" } } }],
    ["a bucket of Google's", { source: { uri: "gs://models/loan/1/", secretRef: { name: "gcs" } } }],
    ["a container of Azure's", { source: { uri: "az://models/loan/1/", secretRef: { name: "azure" } } }],
    ["a claim", { source: { uri: "pvc://models" } }],
    ["a claim's path", { source: { uri: "pvc://models/loan/1/" } }],
    ["a hub's repository at a revision", { source: { uri: "hf://acme/loan@v1/onnx", secretRef: { name: "hub" } } }],
    ["a registry's tag", { source: { uri: "oci://ghcr.io/acme/loan:1.0", secretRef: { name: "registry" } } }],
    ["a registry's digest", { source: { uri: `oci://reg:5000/loan@sha256:${"a".repeat(64)}` } }],
    ["an at sign in a path", { source: { uri: "https://host/team@home/model.onnx" } }],
    ["quantities as numbers", { source, serving: { resources: { requests: { cpu: 2, memory: "1e9" } } } }],
    [
      "a version's minimum below the maximum of its own",
      {
        versions: [{ name: "v1", source, serving: { autoscaling: { minReplicas: 1, maxReplicas: 3 } } }],
        serving: { autoscaling: { minReplicas: 4, maxReplicas: 8 } },
      },
    ],
    ["an image of a registry's port", { versions: [{ name: "v1", image: "registry:5000/team/loan_api:1.4-rc.1" }] }],
    ["an image by its digest", { versions: [{ name: "v1", image: `ghcr.io/a/b@sha256:${"0".repeat(64)}` }] }],
    ["an image by tag and digest", { versions: [{ name: "v1", image: `b:1@sha256:${"0".repeat(64)}` }] }],
    ["a variable without a value", { source, serving: { env: [{ name: "MODE" }] } }],
  ] as const)
    it(`accepts ${title}`, () => {
      const parsed = parseModelDeployment(object(spec));
      expect(parsed.ok ? [] : parsed.problems).to.deep.equal([]);
    });

  it("writes the short form out as one version named v1 with all the traffic", () => {
    const parsed = parseModelDeployment(object({ source }));
    expect(parsed.ok && parsed.value.versions).to.deep.equal([{ name: "v1", weight: 100, source }]);
  });

  it("tells all problems at once", () => {
    const parsed = parseModelDeployment(
      object({
        versions: [{ name: "V1", weight: 40, source: { uri: "ftp://x" } }],
        serving: { replicas: 1, autoscaling: { maxReplicas: 2 } },
      }),
    );
    expect(parsed.ok ? [] : parsed.problems.map(({ field }) => field)).to.have.members([
      "spec.versions",
      "spec.versions[0].name",
      "spec.versions[0].source.uri",
      "spec.serving.autoscaling",
    ]);
  });

  it("says what the weights sum to", () => {
    const parsed = parseModelDeployment(object({ versions: [{ name: "v1", weight: 90, source }] }));
    expect(parsed).to.deep.include({
      problems: [{ field: "spec.versions", message: "the weights must sum to 100, they sum to 90" }],
    });
  });
});
