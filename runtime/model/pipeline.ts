import type { Tensor } from "onnxruntime-node";

import { LoadError } from "../load-error.ts";
import { mapped } from "../mapped.ts";
import type { Feeds, Graph } from "./session.ts";
import { describeTensor, isElementType, rowSize } from "./tensor.ts";
import type { OutputTensor, TensorSpec } from "./tensor.ts";

/** What clients feed and fetch: the preprocessor's inputs when there is one, and the model's tensor outputs. */
export interface Pipeline {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Rejects with ONNX Runtime's error. Unless it has a thread of its own, it blocks the event loop while it computes. */
  run(feeds: Feeds): Promise<OutputTensor[]>;
  /** Frees the sessions, after the last run. */
  close(): Promise<void>;
}

/** Throws a LoadError when the model has no output to fetch, or the preprocessor's outputs do not fit its inputs. */
export function createPipeline(model: Graph, preprocessor: Graph | undefined, source: string): Pipeline {
  if (model.outputs.length === 0) throw unfetchable(model, source);
  const names = model.outputs.map(({ name }) => name);
  const run = model.runner(names);
  // oxlint-disable-next-line require-await -- other pipelines run elsewhere
  const runModel = async (feeds: Feeds): Promise<OutputTensor[]> =>
    mapped(run(feeds), (tensor, index) => outputTensor(names[index] as string, tensor));
  const { inputs, outputs } = model;
  if (preprocessor === undefined) return { inputs, outputs, run: runModel, close: async () => model.close() };

  const wires = connect(preprocessor, model, source);
  const prepare = preprocessor.runner(wires.map(({ from }) => from));
  return {
    inputs: preprocessor.inputs,
    outputs,
    run: async (feeds) => {
      const between = prepare(feeds);
      const fed: Record<string, Tensor> = {};
      for (const [index, { to }] of wires.entries()) fed[to] = between[index] as Tensor;
      return runModel(fed);
    },
    close: async () => {
      preprocessor.close();
      model.close();
    },
  };
}

/** Which preprocessor output feeds which model input: by name, or the only one into the only one. */
function connect(preprocessor: Graph, model: Graph, source: string): { from: string; to: string }[] {
  const { inputs } = model;
  const { outputs } = preprocessor;
  const byPosition = inputs.length === 1 && outputs.length === 1;
  return inputs.map((input, index) => {
    const output = outputs.find(({ name }) => name === input.name) ?? (byPosition ? outputs[index] : undefined);
    if (output === undefined || !fits(output, input)) {
      throw new LoadError(
        "SignatureMismatch",
        `loading ${source}: ${preprocessor.file} gives ${list(outputs)}, but ${model.file} takes ${list(inputs)}; export both from the same pipeline`,
      );
    }
    return { from: output.name, to: input.name };
  });
}

function fits(output: TensorSpec, input: TensorSpec): boolean {
  if (output.type !== input.type) return false;
  if (output.shape === undefined || input.shape === undefined) return true;
  const given = rowSize(output);
  const taken = rowSize(input);
  return output.shape.length === input.shape.length && (given === undefined || taken === undefined || given === taken);
}

function unfetchable(model: Graph, source: string): LoadError {
  const outputs = model.otherOutputs.join(", ") || "nothing";
  return new LoadError(
    "UnsupportedFormat",
    `loading ${source}: the outputs of ${model.file} (${outputs}) are no tensors that an answer can carry; export it with tensor outputs`,
  );
}

function outputTensor(name: string, tensor: Tensor): OutputTensor {
  const { type, dims } = tensor;
  if (!isElementType(type)) throw new TypeError(`output ${name} is of type ${type}, which answers cannot carry`);
  return { name, type, dims, data: tensor.data };
}

const list = (specs: readonly TensorSpec[]): string => `(${specs.map(describeTensor).join(", ")})`;
