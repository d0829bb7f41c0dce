import { expect } from "chai";
import * as fc from "fast-check";
import { mergePatch } from "../../../local/api-server/patch/merge-patch.ts";
import { strategicMergePatch } from "../../../local/api-server/patch/strategic-merge-patch.ts";
import { builtInSchemas } from "../../../local/api-server/schema/built-in-schemas.ts";

const podSpec = builtInSchemas().get("io.k8s.api.core.v1.PodSpec");
const a = { name: "a", image: "a:1" };
const b = { name: "b", image: "b:1" };

describe("a strategic merge patch", () => {
  const cases: [string, object, object, object][] = [
    [
      "merges list items by their key",
      { containers: [a, b] },
      { containers: [{ name: "b", image: "b:2" }] },
      { containers: [a, { name: "b", image: "b:2" }] },
    ],
    [
      "adds items that are new before those that are there",
      { containers: [a] },
      { containers: [b] },
      { containers: [b, a] },
    ],
    [
      "deletes items that it marks",
      { containers: [a, b] },
      { containers: [{ name: "a", $patch: "delete" }] },
      { containers: [b] },
    ],
    [
      "replaces a list that it marks",
      { containers: [a] },
      { containers: [{ $patch: "replace" }, b] },
      { containers: [b] },
    ],
    [
      "replaces lists without a merge key",
      { tolerations: [{ key: "a" }] },
      { tolerations: [{ key: "b" }] },
      { tolerations: [{ key: "b" }] },
    ],
    ["deletes fields by null", { nodeName: "n", hostname: "h" }, { nodeName: null }, { hostname: "h" }],
    [
      "replaces an object that it marks",
      { securityContext: { runAsUser: 1 } },
      { securityContext: { $patch: "replace", runAsGroup: 2 } },
      { securityContext: { runAsGroup: 2 } },
    ],
    [
      "orders items as it is told",
      { containers: [a, b] },
      { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
      { containers: [b, a] },
    ],
    [
      "keeps only the keys that it retains",
      { volumes: [{ name: "v", emptyDir: {} }] },
      { volumes: [{ name: "v", $retainKeys: ["name", "secret"], secret: { secretName: "s" } }] },
      { volumes: [{ name: "v", secret: { secretName: "s" } }] },
    ],
  ];
  for (const [title, target, patch, expected] of cases) {
    it(title, () =>
      expect(strategicMergePatch(target, patch as Record<string, unknown>, podSpec)).to.deep.equal(expected),
    );
  }
});

describe("a merge patch", () => {
  it("holds afterwards, and changes nothing when it is repeated", () => {
    const values = fc.dictionary(
      fc.constantFrom("a", "b"),
      fc.oneof(fc.integer(), fc.constant(null), fc.dictionary(fc.constantFrom("c", "d"), fc.option(fc.integer()))),
    );
    fc.assert(
      fc.property(values, values, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).to.deep.equal(once);
        for (const [field, value] of Object.entries(patch))
          if (value === null) expect(once).not.to.have.property(field);
      }),
    );
  });
});
