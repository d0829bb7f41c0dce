import { basename } from "node:path";

import "./no-telemetry.ts";
import { InferenceSession } from "onnxruntime-node";

import { LoadError } from "../load-error.ts";
import { isElementType } from "./tensor.ts";
import type { TensorSpec } from "./tensor.ts";

/** A graph that is ready to run, with the inputs and outputs that are tensors of types we can carry. */
export interface Graph {
  readonly file: string;
  readonly session: InferenceSession;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Outputs that are sequences or maps, which cannot be fetched. */
  readonly otherOutputs: readonly string[];
}

/** Throws a LoadError: InvalidModel with ONNX Runtime's words, or UnsupportedFormat for types that it cannot feed. */
export async function openGraph(path: string, source: string, intraOpThreads: number): Promise<Graph> {
  const file = basename(path);
  const session = await InferenceSession.create(path, {
    executionProviders: ["cpu"],
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    // Spinning threads burn a whole CPU between sparse requests.
    extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
    logSeverityLevel: 4, // its errors reach the log through ours, as JSON
  }).catch((cause: unknown) => {
    const message = `loading ${source}: ONNX Runtime refuses ${file}: ${firstLine(cause, path, file)}; export the model again, or check that the upload is complete`;
    throw new LoadError("InvalidModel", message, { cause });
  });
  return {
    file,
    session,
    inputs: session.inputMetadata.map((input) => {
      const spec = tensorSpec(input);
      if (spec) return spec;
      const type = input.isTensor ? input.type : "sequence or map";
      throw new LoadError(
        "UnsupportedFormat",
        `loading ${source}: input ${input.name} of ${file} is a ${type}, which requests cannot carry; export the model with tensor inputs`,
      );
    }),
    outputs: session.outputMetadata.flatMap((output) => tensorSpec(output) ?? []),
    otherOutputs: session.outputMetadata.filter((output) => tensorSpec(output) === undefined).map(({ name }) => name),
  };
}

function tensorSpec(value: InferenceSession.ValueMetadata): TensorSpec | undefined {
  if (!value.isTensor || !isElementType(value.type)) return undefined;
  // ONNX Runtime shows an unknown rank as no dimensions at all.
  const shape =
    value.shape.length === 0
      ? undefined
      : value.shape.map((size) => (typeof size === "number" && size >= 0 ? size : -1));
  return { name: value.name, type: value.type, shape };
}

/** ONNX Runtime's message without the place in its own sources and without paths of this machine. */
function firstLine(cause: unknown, path: string, file: string): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message
    .replaceAll(path, file)
    .replace(/^Load model from \S+ failed:\s*/, "")
    .replace(/\/onnxruntime_src\/\S+ [^\n]*?\) (?=[A-Z])/g, "")
    .trim()
    .replace(/\.?(\n.*)?$/s, "")
    .slice(0, 1000);
}
