/**
 * What loading a model takes when nothing else is done: ONNX Runtime's library, the sessions and one run. `node load-model.ts
 * FOLDER` prints `loaded` and ends. The start of a server is compared without it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import "../../../runtime/model/no-telemetry.ts";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [folder = ""] = process.argv.slice(2);
const options: InferenceSession.SessionOptions = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4 };
const model = await InferenceSession.create(join(folder, "model.onnx"), options);
const preprocessor = join(folder, "preprocessor.onnx");
const first = existsSync(preprocessor) ? await InferenceSession.create(preprocessor, options) : undefined;

const zeros = ({ inputNames }: InferenceSession): Record<string, Tensor> =>
  Object.fromEntries(inputNames.map((name) => [name, new Tensor("float32", [0], [1, 1])]));
const [between] = first ? Object.values(await first.run(zeros(first))) : [];
const [input = ""] = model.inputNames;
const outputs = model.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
await model.run(between ? { [input]: between } : zeros(model), outputs);
console.log("loaded");
