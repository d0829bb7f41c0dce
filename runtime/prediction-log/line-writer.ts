import type { Feature } from "../model/features.ts";
import type { Model } from "../model/model.ts";
import { DATATYPES, elementCount, jsonElement } from "../model/tensor.ts";
import type { Element, ElementType } from "../model/tensor.ts";
import type { ModelIdentity } from "../served-model.ts";
import { capturePredictions, cutText } from "./captured.ts";
import type { CapturedPrediction, CapturedTensor } from "./captured.ts";
import type { Redaction } from "./redaction.ts";
import type { Line } from "./sink.ts";

const REDACTED = '"[redacted]"';
/** Characters of a text in a line that would be too long with all of it. */
const SHORT_TEXT = 64;

/** How much of the values a line takes. */
interface Limit {
  readonly values: number;
  readonly text: number;
}

const ALL: Limit = { values: Number.POSITIVE_INFINITY, text: Number.POSITIVE_INFINITY };

/** Makes lines. By hand, since this is done for every request: the names and what never changes are JSON already. */
export class LineWriter {
  readonly #identity: string;
  readonly #features: readonly Feature[];
  readonly #names: readonly string[];
  readonly #widths: readonly number[];
  /** Of each feature, among those of its input. */
  readonly #columns: readonly number[];
  readonly #redaction: Redaction;

  constructor(
    { features = [], pipeline }: Pick<Model, "features" | "pipeline">,
    { name, version, variant, revision }: ModelIdentity,
    redaction: Redaction,
  ) {
    const identity = { model: name, model_version: version, model_variant: variant, revision };
    this.#identity = JSON.stringify(identity).slice(1, -1);
    this.#features = features;
    this.#names = features.map((feature) => `${JSON.stringify(feature.name)}:`);
    this.#widths = pipeline.inputs.map((_, input) => features.filter((feature) => feature.input === input).length);
    this.#columns = features.map(
      ({ input }, index) => features.slice(0, index).filter((feature) => feature.input === input).length,
    );
    this.#redaction = redaction;
  }

  /** With as many of the values as fit into `maxBytes`. */
  write(captured: CapturedPrediction, maxBytes: number): Line {
    const time = new Date(captured.at).toISOString();
    let json = this.#text(captured, time, ALL);
    for (let values = mostValues(captured); Buffer.byteLength(json) > maxBytes && values > 0;) {
      values >>= 1;
      json = this.#text(captured, time, { values, text: SHORT_TEXT });
    }
    return { json, time, requestId: captured.requestId };
  }

  #text(captured: CapturedPrediction, time: string, limit: Limit): string {
    const { requestId, key, protocol, latencyMs, rows } = captured;
    const keyJson = key === undefined ? "" : `"key":${this.#redaction.key ? REDACTED : JSON.stringify(key)},`;
    const truncated = captured.truncated || limit !== ALL ? '"truncated":true,' : "";
    return (
      `{"log":"prediction","time":"${time}","request_id":${JSON.stringify(requestId)},${keyJson}${this.#identity},` +
      `"protocol":"${protocol}","latency_ms":${latencyMs.toFixed(3)},"rows":${rows},${truncated}` +
      `"inputs":${this.#inputs(captured, limit)},"outputs":${this.#outputs(captured, limit)}}`
    );
  }

  #inputs({ inputs, rows }: CapturedPrediction, limit: Limit): string {
    const isRows =
      this.#features.length > 0 &&
      inputs.every(({ shape }, input) => elementCount(shape) === rows * (this.#widths[input] ?? 0));
    return isRows ? this.#records(inputs, limit) : tensorsJson(inputs, this.#redaction.inputs, limit);
  }

  /** `{"age":34,…}` for each row. */
  #records(inputs: readonly CapturedTensor[], limit: Limit): string {
    const count = this.#features.length;
    const captured = Math.ceil((inputs[0]?.values.length ?? 0) / (this.#widths[0] ?? 1));
    const rows = Math.min(captured, Math.max(Math.floor(limit.values / count), Math.min(limit.values, 1)));
    let json = "";
    for (let row = 0; row < rows; row += 1) {
      let record = "";
      for (let index = 0; index < count && index < limit.values; index += 1) {
        const { input, element } = this.#features[index] as Feature;
        const position = row * (this.#widths[input] as number) + (this.#columns[index] as number);
        const value = inputs[input]?.values[position];
        if (value === undefined) continue; // of a row with too many values
        const text = this.#redaction.features[index] ? REDACTED : elementJson(value, element, limit);
        record += `${record === "" ? "" : ","}${this.#names[index]}${text}`;
      }
      json += `${row === 0 ? "" : ","}{${record}}`;
    }
    return `[${json}]`;
  }

  #outputs({ outputs }: CapturedPrediction, limit: Limit): string {
    if ("tensors" in outputs) {
      const hidden = outputs.tensors.map(({ name }) => this.#redaction.outputs.has(name));
      return tensorsJson(outputs.tensors, hidden, limit);
    }
    if (this.#redaction.predictions) return REDACTED;
    const { predictions } = outputs;
    return JSON.stringify(limit === ALL ? predictions : capturePredictions(predictions, limit.values).predictions);
  }
}

function tensorsJson(
  tensors: readonly CapturedTensor[],
  hidden: readonly (boolean | readonly boolean[])[],
  limit: Limit,
): string {
  const all = tensors.map(({ name, type, shape, values }, index) => {
    const head = JSON.stringify({ name, datatype: DATATYPES[type], shape }).slice(0, -1);
    const isHidden = hidden[index] ?? false;
    return `${head},"data":${isHidden === true ? REDACTED : valuesJson(values, type, isHidden || [], limit)}}`;
  });
  return `[${all.join()}]`;
}

/** `columns` says which of each row's values are hidden; none when it is empty. */
function valuesJson(
  values: CapturedTensor["values"],
  type: ElementType,
  columns: readonly boolean[],
  limit: Limit,
): string {
  const shown = Array.from({ length: Math.min(values.length, limit.values) }, (_, index) =>
    columns[index % columns.length] ? REDACTED : elementJson(values[index] as Element, type, limit),
  );
  return `[${shown.join()}]`;
}

function elementJson(value: Element, type: ElementType, { text }: Limit): string {
  if (typeof value === "number" && type !== "bool") return Number.isFinite(value) ? String(value) : "null";
  if (typeof value === "string") return JSON.stringify(cutText(value, text));
  return typeof value === "boolean" ? String(value) : JSON.stringify(jsonElement(value, type));
}

function mostValues({ inputs, outputs }: CapturedPrediction): number {
  const ofTensors = (tensors: readonly CapturedTensor[]): number[] => tensors.map(({ values }) => values.length);
  const ofOutputs =
    "tensors" in outputs
      ? ofTensors(outputs.tensors)
      : outputs.predictions.map(({ probabilities = [] }) => 4 + Object.keys(probabilities).length);
  return [...ofTensors(inputs), ...ofOutputs].reduce((sum, count) => sum + count, 0);
}
