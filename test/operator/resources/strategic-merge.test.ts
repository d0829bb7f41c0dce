import { expect } from "chai";
import * as fc from "fast-check";
import { strategicMerge } from "../../../operator/resources/strategic-merge.ts";

interface Case {
  readonly title: string;
  readonly target: object;
  readonly patch: object;
  readonly merged: object;
}

const runtime = { name: "runtime", image: "runtime:1", env: [{ name: "PORT", value: "8000" }] };

const cases: readonly Case[] = [
  {
    title: "lays fields over fields, as deep as they go",
    target: { spec: { securityContext: { runAsNonRoot: true, fsGroup: 1 } } },
    patch: { spec: { securityContext: { fsGroup: 2 }, priorityClassName: "high" } },
    merged: { spec: { securityContext: { runAsNonRoot: true, fsGroup: 2 }, priorityClassName: "high" } },
  },
  {
    title: "merges containers by name",
    target: { containers: [runtime] },
    patch: { containers: [{ name: "runtime", workingDir: "/models" }] },
    merged: { containers: [{ ...runtime, workingDir: "/models" }] },
  },
  {
    title: "puts a new container behind those that are there",
    target: { containers: [runtime] },
    patch: { containers: [{ name: "proxy", image: "proxy:1" }] },
    merged: { containers: [runtime, { name: "proxy", image: "proxy:1" }] },
  },
  {
    title: "merges variables by name within a container",
    target: { containers: [runtime] },
    patch: {
      containers: [
        {
          name: "runtime",
          env: [
            { name: "PORT", value: "1" },
            { name: "MODE", value: "x" },
          ],
        },
      ],
    },
    merged: {
      containers: [
        {
          ...runtime,
          env: [
            { name: "PORT", value: "1" },
            { name: "MODE", value: "x" },
          ],
        },
      ],
    },
  },
  {
    title: "lets a variable's value take the place of where it came from",
    target: { env: [{ name: "TOKEN", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] },
    patch: { env: [{ name: "TOKEN", value: "t" }] },
    merged: { env: [{ name: "TOKEN", value: "t" }] },
  },
  {
    title: "lets a volume of another kind take the place of the one of its name",
    target: { volumes: [{ name: "cache", emptyDir: {} }] },
    patch: { volumes: [{ name: "cache", persistentVolumeClaim: { claimName: "fast" } }] },
    merged: { volumes: [{ name: "cache", persistentVolumeClaim: { claimName: "fast" } }] },
  },
  {
    title: "merges a volume of the same kind",
    target: { volumes: [{ name: "cache", emptyDir: { medium: "Memory" } }] },
    patch: { volumes: [{ name: "cache", emptyDir: { sizeLimit: "1Gi" } }] },
    merged: { volumes: [{ name: "cache", emptyDir: { medium: "Memory", sizeLimit: "1Gi" } }] },
  },
  {
    title: "merges mounts by path, not by the volume's name",
    target: { volumeMounts: [{ name: "cache", mountPath: "/var/cache/slipway" }] },
    patch: { volumeMounts: [{ name: "cache", mountPath: "/data" }] },
    merged: {
      volumeMounts: [
        { name: "cache", mountPath: "/var/cache/slipway" },
        { name: "cache", mountPath: "/data" },
      ],
    },
  },
  {
    title: "merges ports by number and protocol",
    target: { ports: [{ name: "dns", containerPort: 53, protocol: "TCP" }] },
    patch: {
      ports: [
        { containerPort: 53, name: "dns-tcp" },
        { containerPort: 53, protocol: "UDP" },
      ],
    },
    merged: {
      ports: [
        { name: "dns-tcp", containerPort: 53, protocol: "TCP" },
        { containerPort: 53, protocol: "UDP" },
      ],
    },
  },
  {
    title: "takes tolerations, arguments and other lists without a merge key as a whole",
    target: { tolerations: [{ key: "a" }], args: ["-a"] },
    patch: { tolerations: [{ key: "b" }], args: ["-b", "-c"] },
    merged: { tolerations: [{ key: "b" }], args: ["-b", "-c"] },
  },
  {
    title: "takes an item away by $patch: delete, and says nothing of one that is not there",
    target: { volumes: [{ name: "tmp", emptyDir: {} }] },
    patch: {
      volumes: [
        { name: "tmp", $patch: "delete" },
        { name: "none", $patch: "delete" },
      ],
    },
    merged: { volumes: [] },
  },
  {
    title: "puts an item in the place of another by $patch: replace",
    target: { containers: [runtime] },
    patch: { containers: [{ name: "runtime", $patch: "replace", image: "other:1" }] },
    merged: { containers: [{ name: "runtime", image: "other:1" }] },
  },
  {
    title: "puts a list in the place of another by a $patch: replace of its own",
    target: { topologySpreadConstraints: [{ topologyKey: "zone" }, { topologyKey: "host" }] },
    patch: { topologySpreadConstraints: [{ $patch: "replace" }, { topologyKey: "rack", maxSkew: 2 }] },
    merged: { topologySpreadConstraints: [{ topologyKey: "rack", maxSkew: 2 }] },
  },
  {
    title: "empties a list by a $patch: replace alone",
    target: { topologySpreadConstraints: [{ topologyKey: "zone" }] },
    patch: { topologySpreadConstraints: [{ $patch: "replace" }] },
    merged: { topologySpreadConstraints: [] },
  },
  {
    title: "puts an object in the place of another by $patch: replace, and empties it by delete",
    target: { securityContext: { runAsUser: 1, fsGroup: 1 }, resources: { limits: { cpu: "1" } } },
    patch: { securityContext: { $patch: "replace", runAsUser: 2 }, resources: { $patch: "delete" } },
    merged: { securityContext: { runAsUser: 2 }, resources: {} },
  },
  {
    title: "takes a field away that is null",
    target: { affinity: { nodeAffinity: {} }, nodeSelector: { gpu: "yes" } },
    patch: { affinity: null, nodeSelector: { gpu: null, disk: "ssd" } },
    merged: { nodeSelector: { disk: "ssd" } },
  },
];

const name = fc.constantFrom("runtime", "proxy", "logs");
const directive = fc.option(fc.constantFrom("delete", "replace"), { nil: undefined });
const item = fc.record({ name, image: fc.string(), $patch: directive }, { requiredKeys: ["name"] });
const scalars = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.integer());
const patches = fc.record(
  {
    containers: fc.uniqueArray(item, { selector: (each) => each.name }),
    nodeSelector: scalars,
    args: fc.array(fc.string()),
  },
  { requiredKeys: [] },
);
const templates = patches.map(withoutDirectives);

describe("strategicMerge", () => {
  for (const { title, target, patch, merged } of cases)
    it(title, () => expect(strategicMerge(target, patch)).to.deep.equal(merged));

  it("leaves what it is given as it is", () => {
    for (const { target, patch } of cases) {
      const before = JSON.stringify([target, patch]);
      strategicMerge(target, patch);
      expect(JSON.stringify([target, patch])).to.equal(before);
    }
  });

  it("changes nothing by a patch of nothing, and nothing more by the same patch again", () =>
    fc.assert(
      fc.property(templates, patches, (template, patch) => {
        const once = strategicMerge(template, patch);
        expect(strategicMerge(template, {})).to.deep.equal(template);
        expect(sortedContainers(strategicMerge(once, patch))).to.deep.equal(sortedContainers(once));
      }),
    ));

  it("leaves no directive behind, and no name twice", () =>
    fc.assert(
      fc.property(templates, patches, (template, patch) => {
        const merged = strategicMerge<{ containers?: { name: string }[] }>(template, patch);
        expect(JSON.stringify(merged)).to.not.include("$patch");
        const names = (merged.containers ?? []).map((each) => each.name);
        expect(new Set(names).size).to.equal(names.length);
      }),
    ));
});

function withoutDirectives<T>(value: T): T {
  return JSON.parse(JSON.stringify(value, (key, child: unknown) => (key === "$patch" ? undefined : child))) as T;
}

function sortedContainers(template: { containers?: { name: string }[] }): object {
  const containers = (template.containers ?? []).toSorted((a, b) => a.name.localeCompare(b.name));
  return { ...template, containers };
}
