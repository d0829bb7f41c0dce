import { basename } from "node:path";

import "./no-telemetry.ts";
import type { Tensor } from "onnxruntime-node";
// The public InferenceSession adds a promise and a turn of the event loop, which cost half as much as a small model's run.
import { binding, initOrt } from "onnxruntime-node/dist/binding.js";
import type { Binding } from "onnxruntime-node/dist/binding.js";

import { LoadError } from "../load-error.ts";
import { mapped } from "../mapped.ts";
import { conversionOfContent } from "./foreign-formats.ts";
import type { ElementType, TensorSpec } from "./tensor.ts";

/** A graph that is ready to run, with the inputs and outputs that are tensors of types we can carry. */
export interface Graph {
  readonly file: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Outputs that are sequences or maps, which cannot be fetched. */
  readonly otherOutputs: readonly string[];
  /** What gives the outputs of these names. It computes before it returns, and throws ONNX Runtime's error. */
  runner(names: readonly string[]): (feeds: Feeds) => Tensor[];
  /** Frees the session, after the last run. */
  close(): void;
}

/** Input tensors by name. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** The element types that we can carry, by their numbers in ONNX. */
const TYPES: readonly (ElementType | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
];

/** Throws a LoadError: InvalidModel with ONNX Runtime's words, or UnsupportedFormat for types that it cannot feed. */
export function openGraph(path: string, source: string, intraOpThreads: number): Graph {
  const file = basename(path);
  const session = openSession(path, source, intraOpThreads);
  return {
    file,
    inputs: session.inputMetadata.map((input) => {
      const spec = tensorSpec(input);
      if (spec) return spec;
      const type = input.isTensor ? `tensor of ONNX's type ${input.type}` : "sequence or map";
      throw new LoadError(
        "UnsupportedFormat",
        `loading ${source}: input ${input.name} of ${file} is a ${type}, which requests cannot carry; export the model with tensor inputs`,
      );
    }),
    outputs: session.outputMetadata.flatMap((output) => tensorSpec(output) ?? []),
    otherOutputs: session.outputMetadata.filter((output) => tensorSpec(output) === undefined).map(({ name }) => name),
    runner(names) {
      const fetches = Object.fromEntries(names.map((name) => [name, null]));
      return (feeds) => {
        const outputs = session.run(feeds, fetches, {});
        return mapped(names, (name) => outputs[name] as Tensor);
      };
    },
    close: () => session.dispose(),
  };
}

function openSession(path: string, source: string, intraOpThreads: number): Binding.InferenceSession {
  initOrt();
  const session = new binding.InferenceSession();
  try {
    session.loadModel(path, {
      executionProviders: ["cpu"],
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      // Spinning threads burn a whole CPU between sparse requests.
      extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
      logSeverityLevel: 4, // its errors reach the log through ours, as JSON
    });
  } catch (cause) {
    const file = basename(path);
    const conversion = conversionOfContent(path);
    if (conversion !== undefined)
      throw new LoadError("UnsupportedFormat", `loading ${source}: ${conversion}`, { cause });
    const message = `loading ${source}: ONNX Runtime refuses ${file}: ${firstLine(cause, path, file)}; export the model again, or check that the upload is complete`;
    throw new LoadError("InvalidModel", message, { cause });
  }
  return session;
}

function tensorSpec({ name, isTensor, type, shape }: Binding.ValueMetadata): TensorSpec | undefined {
  const element = isTensor ? TYPES[type] : undefined;
  // ONNX Runtime shows an unknown rank as no dimensions at all.
  return element && { name, type: element, shape: shape.length === 0 ? undefined : shape };
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
