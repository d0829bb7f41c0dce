import { expect } from "chai";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { parse, parseAllDocuments } from "yaml";

interface Metadata {
  model_type: string;
  version: string;
  task: string;
  features: { name: string; type: "integer" | "number" }[];
  target: string;
  classes: string[];
  metrics: Record<"accuracy" | "roc_auc" | "f1", number>;
  created_at: string;
}

interface GoldenRow {
  input: Record<string, number>;
  output: { prediction: string; probabilities: Record<string, number> };
}

interface ConfigMap {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  binaryData: Record<string, string>;
  data: Record<string, string>;
}

interface ModelDeployment {
  spec: { versions: { name: string; weight: number; source: { uri: string } }[] };
}

const example = new URL("../../examples/loan/", import.meta.url);
const fileNames = ["golden.json", "metadata.json", "model.onnx", "preprocessor.onnx"];
const maxFolderBytes = 300_000;
/** `kubectl apply` keeps a copy of the object in an annotation, and the API server allows 256 KiB of those. */
const maxAppliedBytes = 256 * 1024;

const bytesOf = (path: string): Buffer => readFileSync(new URL(path, example));
const textOf = (path: string): string => bytesOf(path).toString("utf8");
const metadataOf = (version: string): Metadata => JSON.parse(textOf(`${version}/metadata.json`)) as Metadata;
const goldenRowsOf = (version: string): GoldenRow[] =>
  (JSON.parse(textOf(`${version}/golden.json`)) as { rows: GoldenRow[] }).rows;
const configMaps = (): ConfigMap[] =>
  parseAllDocuments(textOf("configmaps.yaml")).map((document) => document.toJS() as ConfigMap);
const modelDeployment = (): ModelDeployment => parse(textOf("model-deployment.yaml")) as ModelDeployment;

describe("the loan example", () => {
  for (const [version, configMapName] of [
    ["1.0.0", "loan-v1"],
    ["2.0.0", "loan-v2"],
  ] as const) {
    describe(version, () => {
      it("is a folder of exactly the four files of a model, small enough to commit", () => {
        const files = readdirSync(new URL(`${version}/`, example)).toSorted();
        expect(files).to.deep.equal(fileNames);
        const bytes = files.map((file) => statSync(new URL(`${version}/${file}`, example)).size);
        expect(bytes.reduce((sum, size) => sum + size, 0)).to.be.below(maxFolderBytes);
      });

      it("describes itself in metadata.json", () => {
        const { metrics, created_at, ...described } = metadataOf(version);
        expect(described).to.deep.equal({
          model_type: "RandomForestClassifier",
          version,
          task: "classification",
          features: [
            { name: "age", type: "integer" },
            { name: "income", type: "number" },
            { name: "credit_score", type: "integer" },
          ],
          target: "approved",
          classes: ["rejected", "approved"],
        });
        expect(metrics).to.have.all.keys("accuracy", "roc_auc", "f1");
        for (const [name, value] of Object.entries(metrics)) expect(value, name).to.be.within(0.7, 1);
        expect(new Date(created_at).toISOString()).to.equal(created_at.replace("Z", ".000Z"));
      });

      it("answers every golden row as scikit-learn did", async () => {
        const { features, classes } = metadataOf(version);
        const rows = goldenRowsOf(version);
        expect(rows).to.have.length(25);

        const answers = await predict(
          version,
          features.map(({ name }) => name),
          rows.map(({ input }) => input),
        );
        for (const [index, { input, output }] of rows.entries()) {
          const answer = answers[index]!;
          const row = JSON.stringify(input);
          expect(classes[answer.label], row).to.equal(output.prediction);
          expect(Object.keys(output.probabilities), row).to.deep.equal(classes);
          for (const [position, name] of classes.entries())
            expect(answer.probabilities[position], `${name} of ${row}`).to.be.closeTo(
              output.probabilities[name]!,
              1e-5,
            );
        }
      });

      it("has golden rows for both classes and for values far outside of the training data", () => {
        const rows = goldenRowsOf(version);
        expect(new Set(rows.map(({ output }) => output.prediction))).to.have.keys(metadataOf(version).classes);
        expect(rows.map(({ input }) => input.income)).to.include.members([0, 10_000_000]);
      });

      it("reaches the cluster as a ConfigMap of the same bytes that kubectl can apply", () => {
        const configMap = configMaps().find(({ metadata }) => metadata.name === configMapName)!;
        expect(configMap).to.include({ apiVersion: "v1", kind: "ConfigMap" });
        expect(Object.keys({ ...configMap.binaryData, ...configMap.data }).toSorted()).to.deep.equal(fileNames);
        for (const [file, base64] of Object.entries(configMap.binaryData))
          expect(Buffer.from(base64, "base64").equals(bytesOf(`${version}/${file}`)), file).to.be.true;
        for (const [file, text] of Object.entries(configMap.data)) expect(text).to.equal(textOf(`${version}/${file}`));
        expect(JSON.stringify(configMap).length).to.be.below(maxAppliedBytes);
      });
    });
  }

  it("improves from version to version, so that a shift of the traffic is worth making", () => {
    const [first, second] = [metadataOf("1.0.0").metrics, metadataOf("2.0.0").metrics];
    for (const metric of ["accuracy", "roc_auc", "f1"] as const)
      expect(second[metric], metric).to.be.above(first[metric] + 0.01);
  });

  it("deploys its own ConfigMaps, with weights that sum to 100", () => {
    const { versions } = modelDeployment().spec;
    expect(versions.map(({ source }) => source.uri)).to.deep.equal(
      configMaps().map(({ metadata }) => `configmap://${metadata.name}`),
    );
    expect(versions.reduce((sum, { weight }) => sum + weight, 0)).to.equal(100);
  });

  it("is applied as a folder: every YAML and JSON file directly in it is a manifest", () => {
    const manifests = readdirSync(example).filter((file) => /\.(ya?ml|json)$/.test(file));
    expect(manifests.toSorted()).to.deep.equal(["configmaps.yaml", "model-deployment.yaml"]);
  });
});

/** Runs the preprocessor, fed by column name, and the model on its answer; all rows as one batch. */
async function predict(
  version: string,
  columns: string[],
  rows: Record<string, number>[],
): Promise<{ label: number; probabilities: number[] }[]> {
  const preprocessor = await InferenceSession.create(bytesOf(`${version}/preprocessor.onnx`));
  const model = await InferenceSession.create(bytesOf(`${version}/model.onnx`));
  try {
    const inputs = columns.map((name) => {
      const values = Float32Array.from(rows, (row) => row[name]!);
      return [name, new Tensor("float32", values, [rows.length, 1])] as const;
    });
    const { features } = await preprocessor.run(Object.fromEntries(inputs));
    const { label, probabilities } = await model.run({ features: features! });
    const labels = label!.data as BigInt64Array;
    const flat = probabilities!.data as Float32Array;
    return Array.from(labels, (value, row) => ({
      label: Number(value),
      probabilities: Array.from(flat.subarray(2 * row, 2 * row + 2)),
    }));
  } finally {
    await preprocessor.release();
    await model.release();
  }
}
