import type { Feature } from "../model/features.ts";
import type { Model } from "../model/model.ts";
import { describeTensor } from "../model/tensor.ts";
import type { TensorSpec } from "../model/tensor.ts";
import type { Artifact } from "../source/artifact.ts";

interface Checked {
  readonly model: Model;
  readonly artifact: Artifact;
  /** Rows of golden.json that were asked; undefined when there is none. */
  readonly goldenRows: number | undefined;
  /** Files of the folder that belong to another framework. */
  readonly unused: readonly string[];
}

/** What the runtime makes of a model, one fact a line. */
export function report({ model, artifact, goldenRows, unused }: Checked): string {
  const { metadata, pipeline, features, files } = model;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["format", format(model)],
    ["sha256", artifact.sha256],
    ["bytes", String(artifact.bytes)],
    ["type", metadata.model_type],
    ["version", metadata.version ?? artifact.version],
    ["task", task(model)],
    ["classes", metadata.classes?.join(", ")],
    ["features", features ? listed(features) : "none: clients send tensors (/v2/models/NAME/infer)"],
    ["inputs", tensors(pipeline.inputs, files.preprocessor ?? files.model)],
    ["outputs", tensors(pipeline.outputs, files.model)],
    ["rows", rows(model)],
    ["one run", model.runMs === undefined ? undefined : `${Number(model.runMs.toPrecision(2))} ms`],
    ["golden", goldenRows === undefined ? "no golden.json" : `${goldenRows} rows, all answered as expected`],
    ["example", model.example && JSON.stringify(model.example)],
    ["not served", unused.length > 0 ? `${unused.join(", ")}: what is in there must be in the .onnx files` : undefined],
  ];
  const known = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined);
  const lines = known.map(([name, value]) => `  ${name.padEnd(NAME_WIDTH)}${value.replaceAll("\n", `\n${INDENT}`)}`);
  return [`${artifact.uri} can be served`, ...lines, ""].join("\n");
}

const NAME_WIDTH = 12;
const INDENT = " ".repeat(NAME_WIDTH + 2);
/** A matrix of pixels has hundreds of features. */
const MAX_LISTED = 20;

const format = ({ files }: Model): string =>
  files.preprocessor === undefined ? `ONNX, ${files.model}` : `ONNX, ${files.preprocessor} into ${files.model}`;

function task({ answers, metadata }: Model): string {
  const threshold = metadata.output?.threshold;
  return `${answers.kind}${threshold === undefined ? "" : `, threshold ${threshold}`}`;
}

function listed(features: readonly Feature[]): string {
  const more = features.length - MAX_LISTED;
  return [...features.slice(0, MAX_LISTED).map(feature), ...(more > 0 ? [`… and ${more} more`] : [])].join("\n");
}

function feature({ name, type, nullable, missing }: Feature): string {
  const asNull = Number.isNaN(missing) ? "or null" : `or null, fed as ${JSON.stringify(missing)}`;
  return `${name}: ${type}${nullable ? ` ${asNull}` : ""}`;
}

const tensors = (specs: readonly TensorSpec[], file: string): string =>
  `${specs.map(describeTensor).join(", ")} (${file})`;

function rows({ batchable, fixedRows }: Model): string {
  if (fixedRows !== undefined) return `${fixedRows} a run`;
  return batchable ? "requests share runs" : "one a run";
}
