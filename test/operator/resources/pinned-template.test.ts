import { expect } from "chai";
import { ANNOTATIONS } from "../../../operator/api/names.ts";
import { withPinnedTemplate } from "../../../operator/resources/pinned-template.ts";
import type { PodTemplate, Templated } from "../../../operator/resources/pinned-template.ts";

const template = (fields: object = {}, annotations: Record<string, string> = {}): PodTemplate => {
  const main = { name: "runtime", image: "runtime:1" };
  const spec = { terminationGracePeriodSeconds: 80, containers: [main], ...fields };
  return { metadata: { annotations }, spec };
};

const deployment = (podTemplate: PodTemplate, replicas = 2): Templated & { spec: { replicas: number } } => ({
  metadata: {},
  spec: { replicas, template: podTemplate },
});

const newDefaults = template({ terminationGracePeriodSeconds: 120, shareProcessNamespace: false });

describe("withPinnedTemplate", () => {
  const made = withPinnedTemplate(deployment(template()), undefined);

  it("keeps a copy of the pod template that a Deployment is made with", () => {
    expect(made.spec.template).to.deep.equal(template());
    expect(JSON.parse(made.metadata.annotations?.[ANNOTATIONS.template] ?? "")).to.deep.equal(template());
  });

  it("keeps that template under an operator with other defaults, and everything else as wanted now", () => {
    const upgraded = withPinnedTemplate(deployment(newDefaults, 5), made);
    expect(upgraded.spec).to.deep.include({ replicas: 5, template: template() });
    expect(upgraded.metadata.annotations).to.deep.equal(made.metadata.annotations);
  });

  it("takes the template from the copy, not from what somebody made of the Deployment", () => {
    const drifted = { ...made, spec: deployment(template({ hostNetwork: true })).spec };
    expect(withPinnedTemplate(deployment(newDefaults), drifted).spec.template).to.deep.equal(template());
  });

  for (const [title, wanted] of [
    ["another image", template({ containers: [{ name: "runtime", image: "runtime:2" }] })],
    ["a user", template({ securityContext: { runAsUser: 65532 } })],
    ["another bootstrap config", template({}, { [ANNOTATIONS.bootstrap]: "abc" })],
    ["a container of another name", template({ containers: [{ name: "main", image: "runtime:1" }] })],
  ] as const)
    it(`gives way to a template with ${title}`, () => {
      const changed = withPinnedTemplate(deployment(wanted), made);
      expect(changed.spec.template).to.deep.equal(wanted);
      expect(JSON.parse(changed.metadata.annotations?.[ANNOTATIONS.template] ?? "")).to.deep.equal(wanted);
    });

  for (const [title, text] of [
    ["no JSON", "{"],
    ["no template", "[]"],
    ["nothing", "null"],
    ["a template without containers", '{"spec":{"containers":[]}}'],
  ] as const)
    it(`is not led astray by a copy that is ${title}`, () => {
      const broken = { ...made, metadata: { annotations: { [ANNOTATIONS.template]: text } } };
      expect(withPinnedTemplate(deployment(newDefaults), broken).spec.template).to.deep.equal(newDefaults);
    });
});
