import { readFile } from "node:fs/promises";

import { expect } from "chai";

import { RuntimeProcess } from "./support/runtime-process.ts";
import { loan } from "./support/scratch.ts";
import { Serving } from "./support/serving.ts";

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** The table in docs/runtime-contract.md, but for what prom-client gives by itself. */
async function documented(): Promise<Metric[]> {
  const text = await readFile("docs/runtime-contract.md", "utf8");
  const section = text.slice(text.indexOf("\n## Metrics\n"), text.indexOf("\n## Processes\n"));
  const names = (cell: string): string[] => Array.from(cell.matchAll(/`(\w+)`/g), ([, name]) => name as string);
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `ml_"))
    .flatMap((line) => {
      const [, metrics = "", type = "", labels = ""] = line.split("|").map((cell) => cell.trim());
      return names(metrics).map((name) => ({ name, type, labels: names(labels).toSorted() }));
    });
}

/** What an exposition has, without the labels that belong to the format or tell processes apart. */
function exposed(text: string): Metric[] {
  return Array.from(text.matchAll(/^# TYPE (ml_\w+) (\w+)$/gm), ([, name = "", type = ""]) => {
    const series = text.split("\n").filter((line) => new RegExp(`^${name}(?:_bucket|_sum|_count)?[{ ]`).test(line));
    const labels = series.flatMap((line) => Array.from(line.matchAll(/[{,](\w+)="/g), ([, label]) => label as string));
    return { name, type, labels: [...new Set(labels)].filter((label) => label !== "le").toSorted() };
  });
}

const byName = (metrics: readonly Metric[]): Map<string, Metric> => new Map(metrics.map((each) => [each.name, each]));

const OF_SEVERAL_PROCESSES = ["ml_processes_ready", "ml_process_restarts_total"];
const OF_A_PREDICTION_LOG = ["ml_prediction_log_written_total", "ml_prediction_log_dropped_total"];
/** What the loan model in one process without a log does not have. */
const ELSEWHERE = [...OF_SEVERAL_PROCESSES, ...OF_A_PREDICTION_LOG, "ml_model_mae", "ml_model_rmse"];

describe("The metrics that docs/runtime-contract.md lists", () => {
  const serving = new Serving({
    "model.onnx": loan("2.0.0", "model.onnx"),
    "preprocessor.onnx": loan("2.0.0", "preprocessor.onnx"),
    "metadata.json": loan("2.0.0", "metadata.json"),
  });

  it("are those that /metrics shows, with their types and labels", async () => {
    const { json } = await serving.post("/predict", { age: 34, income: 52_000, credit_score: 700 });
    await serving.post("/predict", {});
    await serving.post("/feedback", { request_id: json["request_id"], truth: "approved" });
    await serving.post("/feedback", { request_id: "nobody's", truth: "approved" });
    const expected = byName((await documented()).filter(({ name }) => !ELSEWHERE.includes(name)));
    const shown = byName(exposed(await serving.text("/metrics")));
    expect([...shown.keys()]).to.have.members([...expected.keys()]);
    for (const [name, metric] of shown) expect(metric).to.deep.equal(expected.get(name));
  });

  it("have those of several processes and of a prediction log, too", async () => {
    const LOG_PREDICTIONS_SINK = "http://127.0.0.1:9/";
    await using runtime = new RuntimeProcess({
      MODEL_URI: "examples/loan/2.0.0",
      PROCESSES: "2",
      LOG_PREDICTIONS_SINK,
    });
    await runtime.logged("all processes are ready");
    const expected = byName(await documented());
    const shown = exposed(await (await fetch(await runtime.url("/metrics"))).text());
    expect(shown.map(({ name }) => name)).to.include.members([...OF_SEVERAL_PROCESSES, ...OF_A_PREDICTION_LOG]);
    for (const { name, type } of shown) expect(type, name).to.equal(expected.get(name)?.type);
  });
});
