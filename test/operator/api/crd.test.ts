import { expect } from "chai";
import { customResourceDefinition } from "../../../operator/api/crd.ts";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly default?: unknown;
  readonly [keyword: string]: unknown;
}

interface Version {
  readonly schema: { readonly openAPIV3Schema: Schema };
}

const crd = customResourceDefinition();
const [version] = (crd["spec"] as { versions: [Version] }).versions;
const root = version.schema.openAPIV3Schema;

/** Every schema under `schema`, by its path. */
function schemasOf(schema: Schema, path: string): [path: string, schema: Schema][] {
  const children: [string, Schema | undefined][] = [
    ...Object.entries(schema.properties ?? {}).map(([name, child]): [string, Schema] => [`${path}.${name}`, child]),
    [`${path}[]`, schema.items],
    [`${path}.*`, schema.additionalProperties],
  ];
  const below = children.flatMap(([childPath, child]) => (child === undefined ? [] : schemasOf(child, childPath)));
  return [[path, schema], ...below];
}

const specSchemas = schemasOf(root.properties?.["spec"] ?? {}, "spec");

/** Below a pod template's own fields everything is as `kubectl explain pod` has it. */
const KUBERNETES_OWN = /[.]podTemplate[.](metadata|spec)[.][^.]+[.[]|[.]selector[.]/;

/** Their lists are one value, as a patch's and an HPA's are. */
const AS_IN_KUBERNETES = /[.](podTemplate|autoscaling)[.]/;

describe("the CustomResourceDefinition", () => {
  it("stays far below the 256 KB that kubectl apply can keep in an annotation", () =>
    expect(Buffer.byteLength(JSON.stringify(crd))).to.be.below(256 * 1024));

  it("describes every field that a user may write", () => {
    const isField = (path: string): boolean => !path.endsWith("[]") && !path.endsWith("*");
    const ours = specSchemas.filter(([path]) => isField(path) && !KUBERNETES_OWN.test(path));
    const bare = ours.filter(([, { description }]) => !description).map(([path]) => path);
    expect(bare).to.deep.equal([]);
  });

  it("has no default, so that what is in Git is what is in the cluster", () => {
    const defaulted = schemasOf(root, "").filter(([, schema]) => "default" in schema && !("properties" in schema));
    expect(defaulted.map(([path]) => path)).to.deep.equal([]);
  });

  it("bounds every list and map, so that the cost of its rules is bounded", () => {
    const unbounded = specSchemas.filter(
      ([, schema]) =>
        (schema.type === "array" && schema["maxItems"] === undefined) ||
        (schema.additionalProperties !== undefined && schema["maxProperties"] === undefined),
    );
    expect(unbounded.map(([path]) => path)).to.deep.equal([]);
  });

  it("is structural: each value has a type, and nothing is refused by the API server", () => {
    const untyped = schemasOf(root, "").filter(([, schema]) => {
      const free =
        schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
      return schema.type === undefined && !free;
    });
    expect(untyped.map(([path]) => path)).to.deep.equal([]);
    const refused = ["$schema", "$ref", "propertyNames", "const", "exclusiveMinimum"];
    const used = schemasOf(root, "").filter(([, schema]) => refused.some((keyword) => keyword in schema));
    expect(used.map(([path]) => path)).to.deep.equal([]);
  });

  it("lets server-side apply merge versions and variables by name", () => {
    const isSet = (schema: object): boolean =>
      "x-kubernetes-list-type" in schema && schema["x-kubernetes-list-type"] === "set";
    const lists = specSchemas.filter(
      ([path, schema]) => schema.type === "array" && !isSet(schema) && !AS_IN_KUBERNETES.test(path),
    );
    for (const [path, schema] of lists) expect(schema["x-kubernetes-list-map-keys"], path).to.deep.equal(["name"]);
    expect(lists.map(([path]) => path)).to.have.members([
      "spec.versions",
      "spec.versions[].serving.env",
      "spec.serving.env",
    ]);
  });
});
