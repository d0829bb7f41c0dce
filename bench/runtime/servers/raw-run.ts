/** Runs of one row, one after the other, without any server: `node raw-run.ts MODEL SECONDS`. Prints runs a second, and a second of processor time. */
import "../../../runtime/model/no-telemetry.ts";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [model = "", seconds = "1"] = process.argv.slice(2);
const session = await InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const [input] = session.inputMetadata;
if (!input?.isTensor) throw new Error(`${model} takes no tensor`);
const width = Number(input.shape[1]);
const feeds = { [input.name]: new Tensor("float32", new Float32Array(width).fill(0.5), [1, width]) };
for (let run = 0; run < 200; run += 1) await session.run(feeds);
const began = performance.now();
const cpu = process.cpuUsage();
let runs = 0;
while (performance.now() - began < Number(seconds) * 1000) {
  await session.run(feeds);
  runs += 1;
}
const { user, system } = process.cpuUsage(cpu);
console.log(`runs ${(1000 * runs) / (performance.now() - began)} ${(1e6 * runs) / (user + system)}`);
