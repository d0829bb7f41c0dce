import { expect } from "chai";
import * as fc from "fast-check";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { Serving } from "../../../operator/api/serving.ts";
import { childNames } from "../../../operator/api/names.ts";
import { canonicalJson, desiredRevisions, overlay } from "../../../operator/plan/revision.ts";
import { validModelDeployment } from "../../support/operator/model-deployment.ts";

const spec: ModelDeploymentSpec = {
  versions: [
    {
      name: "v1",
      weight: 80,
      source: { uri: "s3://models/loan/1/", secretRef: { name: "s3" } },
      serving: { env: [{ name: "THREADS", value: "2" }] },
    },
    { name: "v2", weight: 20, source: { uri: "s3://models/loan/2/" } },
  ],
  serving: {
    replicas: 3,
    resources: { requests: { cpu: "1", memory: "2Gi" }, limits: { memory: "4Gi" } },
    probes: { initialDelaySeconds: 30 },
  },
};

const [v1, v2] = spec.versions ?? [];
if (v1?.source === undefined || v2 === undefined) throw new Error("the example has two versions");
const { source } = v1;
const podTemplate = { spec: { nodeSelector: { disk: "ssd" } } };

const idOf = (given: ModelDeploymentSpec, name = "loan"): string | undefined =>
  desiredRevisions(validModelDeployment(given, { name }))[0]?.id;

describe("a revision's id", () => {
  const same: [what: string, spec: ModelDeploymentSpec][] = [
    ["replicas change", { ...spec, serving: { ...spec.serving, replicas: 9 } }],
    [
      "autoscaling replaces replicas",
      { ...spec, versions: [{ ...v1, serving: { ...v1.serving, autoscaling: { maxReplicas: 4 } } }, v2] },
    ],
    [
      "weights change",
      {
        ...spec,
        versions: [
          { ...v1, weight: 10 },
          { ...v2, weight: 90 },
        ],
      },
    ],
    ["another version changes", { ...spec, versions: [v1, { ...v2, source: { uri: "s3://models/loan/3/" } }] }],
    ["versions change places", { ...spec, versions: [v1, v2].toReversed() }],
    ["traffic settings change", { ...spec, traffic: { sticky: { header: "x-user-id" } } }],
    [
      "keys are written in another order",
      { ...spec, versions: [{ ...v1, source: { secretRef: { name: "s3" }, uri: source.uri } }, v2] },
    ],
    [
      "an empty object is written out",
      { ...spec, serving: { ...spec.serving, probes: { ...spec.serving?.probes, readiness: {} } } },
    ],
    ["an empty template of pods is written out", { ...spec, serving: { ...spec.serving, podTemplate: { spec: {} } } }],
    [
      "fields move from spec.serving to the version",
      { versions: [{ ...v1, serving: { ...spec.serving, ...v1.serving } }, v2] },
    ],
  ];
  for (const [what, changed] of same)
    it(`stays when ${what}`, () => {
      const ids = desiredRevisions(validModelDeployment(changed)).map(({ id }) => id);
      expect(ids).to.include(idOf(spec));
    });

  const different: [what: string, spec: ModelDeploymentSpec][] = [
    ["the artifact", { ...spec, versions: [{ ...v1, source: { ...source, uri: "s3://models/loan/1b/" } }, v2] }],
    ["the digest", { ...spec, versions: [{ ...v1, source: { ...source, sha256: "0".repeat(64) } }, v2] }],
    ["the credentials' Secret", { ...spec, versions: [{ ...v1, source: { uri: source.uri } }, v2] }],
    ["a variable", { ...spec, versions: [{ ...v1, serving: { env: [{ name: "THREADS", value: "4" }] } }, v2] }],
    ["a memory limit", { ...spec, serving: { ...spec.serving, resources: { limits: { memory: "8Gi" } } } }],
    ["the pods' template", { ...spec, serving: { ...spec.serving, podTemplate } }],
    ["an image of the user's own", { ...spec, versions: [{ name: "v1", weight: 80, image: "mine:1" }, v2] }],
    ["batching", { ...spec, serving: { ...spec.serving, batching: { maxDelay: "5ms" } } }],
    ["the prediction log", { ...spec, serving: { ...spec.serving, predictionLog: { sink: "stdout" } } }],
    ["a probe", { ...spec, serving: { ...spec.serving, probes: { initialDelaySeconds: 31 } } }],
  ];
  for (const [what, changed] of different)
    it(`changes with ${what}`, () => expect(idOf(changed)).to.not.equal(idOf(spec)));

  it("is the version's name and eight characters that spell no word", () =>
    expect(idOf(spec)).to.match(/^v1-[bcdfghjklmnpqrstvwxz2456789]{8}$/));

  const label = (longest: number, first: string) =>
    fc.stringMatching(new RegExp(`^[${first}]([-a-z0-9]{0,${longest - 2}}[a-z0-9])?$`));
  const objects = fc.record({ name: label(38, "a-z"), version: label(14, "a-z0-9") });

  it("makes child names that fit a DNS label and are different for different objects and versions", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(objects, { selector: ({ name, version }) => `${name}/${version}`, minLength: 2 }),
        (list) => {
          const names = list.map(({ name, version }) => {
            const md = validModelDeployment(
              { versions: [{ name: version, source: { uri: "file:///model" } }] },
              { name },
            );
            return childNames.revision(name, desiredRevisions(md)[0]?.id ?? "");
          });
          expect(new Set(names).size).to.equal(names.length);
          for (const child of names) expect(child).to.match(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])$/);
        },
      ),
    ));

  it("tells object a with version b-c from object a-b with version c", () => {
    const child = (name: string, version: string) =>
      childNames.revision(name, idOf({ versions: [{ name: version, source: { uri: "file:///m" } }] }, name) ?? "");
    expect(child("a", "b-c")).to.not.equal(child("a-b", "c"));
  });
});

describe("canonicalJson", () => {
  /** As the ids of revisions that run were made: text that differs in one byte would roll all of them. */
  const sortedByReplacer = (value: unknown): string =>
    JSON.stringify(value, (_key, child: unknown) =>
      typeof child === "object" && child !== null && !Array.isArray(child)
        ? Object.fromEntries(Object.entries(child).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : child,
    );

  it("is the same text for the same value, whatever the order of its fields", () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: null })).to.equal('{"a":null,"b":[{"d":1}]}');
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).to.equal('{"__proto__":{"a":1}}');
    expect(canonicalJson({ "10": 1, "9": 2, a: 3 })).to.equal('{"9":2,"10":1,"a":3}');
    fc.assert(fc.property(fc.jsonValue(), (value) => canonicalJson(value) === sortedByReplacer(value)));
  });
});

describe("overlay", () => {
  const table: [title: string, base: Serving, over: Serving, result: Serving][] = [
    [
      "keeps what the version does not say",
      { replicas: 3, probes: { periodSeconds: 5 } },
      {},
      { replicas: 3, probes: { periodSeconds: 5, readiness: {}, liveness: {}, startup: {} } },
    ],
    [
      "lets the version's replicas replace autoscaling",
      { autoscaling: { maxReplicas: 5 } },
      { replicas: 2 },
      { replicas: 2 },
    ],
    [
      "lets the version's autoscaling replace replicas",
      { replicas: 2 },
      { autoscaling: { maxReplicas: 5 } },
      { autoscaling: { maxReplicas: 5 } },
    ],
    [
      "merges autoscaling",
      { autoscaling: { minReplicas: 2, maxReplicas: 10, targetCPUUtilizationPercentage: 70 } },
      { autoscaling: { maxReplicas: 3 } },
      { autoscaling: { minReplicas: 2, maxReplicas: 3, targetCPUUtilizationPercentage: 70 } },
    ],
    [
      "merges resources",
      { resources: { requests: { cpu: 1 }, limits: { memory: "4Gi" } } },
      { resources: { limits: { memory: "2Gi" } } },
      { resources: { requests: { cpu: 1 }, limits: { memory: "2Gi" } } },
    ],
    [
      "merges variables by name",
      {
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "1" },
        ],
      },
      {
        env: [
          { name: "B", value: "2" },
          { name: "C", value: "2" },
        ],
      },
      {
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "2" },
          { name: "C", value: "2" },
        ],
      },
    ],
    [
      "merges batching",
      { batching: { maxSize: 8, maxDelay: "5ms" } },
      { batching: { maxSize: 16 } },
      { batching: { maxSize: 16, maxDelay: "5ms" } },
    ],
    [
      "merges the prediction log, but sends the credentials of one receiver to no other",
      { predictionLog: { sink: "https://a/", sample: 0.5, redact: ["age"], secretRef: { name: "for-a" } } },
      { predictionLog: { sink: "https://b/", sample: 1 } },
      { predictionLog: { sink: "https://b/", sample: 1, redact: ["age"] } },
    ],
    [
      "keeps the prediction log of all for a version that says nothing of it",
      { predictionLog: { sink: "https://a/", secretRef: { name: "for-a" } } },
      { replicas: 1 },
      { replicas: 1, predictionLog: { sink: "https://a/", secretRef: { name: "for-a" } } },
    ],
  ];
  for (const [title, base, over, result] of table) it(title, () => expect(overlay(base, over)).to.deep.equal(result));
});
