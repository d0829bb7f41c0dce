import { readFileSync } from "node:fs";
import { expect } from "chai";
import { parse } from "yaml";
import { parseModelDeployment } from "../../operator/api/parse.ts";
import { RUNTIME_ENV } from "../../runtime/contract.ts";

const folder = new URL("../../examples/custom-python/", import.meta.url);
const textOf = (file: string): string => readFileSync(new URL(file, folder), "utf8");

describe("the example custom-python", () => {
  it("is a ModelDeployment that the operator takes: an image of its own beside an ONNX model", () => {
    const { metadata, ...object } = parse(textOf("model-deployment.yaml")) as { metadata: object };
    const parsed = parseModelDeployment({ ...object, metadata: { ...metadata, namespace: "credit", uid: "1" } });
    expect(parsed.ok ? [] : parsed.problems).to.deep.equal([]);
    const versions = parsed.ok ? parsed.value.versions : [];
    expect(versions.map(({ image, source }) => [image !== undefined, source !== undefined])).to.deep.equal([
      [true, false],
      [false, true],
    ]);
  });

  it("reads of the environment what the operator sets, by its names", () => {
    const read = [...textOf("app.py").matchAll(/os\.environ\.get\("(\w+)"/g)].map(([, name]) => name);
    const own = ["MODEL_FILE"];
    const known: readonly string[] = [...Object.values(RUNTIME_ENV), ...own];
    expect(read.filter((name) => name !== undefined && !known.includes(name))).to.deep.equal([]);
    expect(read).to.include.members(["PORT", "MODEL_VERSION", "MODEL_VARIANT", "DRAIN_SECONDS"]);
  });

  it("pins every package, and runs as no root", () => {
    const packages = textOf("requirements.txt")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(packages.filter((line) => !/^[A-Za-z0-9_.-]+==[0-9.]+$/.test(line))).to.deep.equal([]);
    expect(textOf("Dockerfile")).to.match(/^USER 65532:65532$/m);
  });
});
