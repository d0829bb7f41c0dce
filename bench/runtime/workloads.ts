import type { Target } from "./load/http.ts";

export const FOREST = "bench/runtime/models/forest.onnx";
export const MLP = "bench/runtime/models/mlp.onnx";
/** Averages each line: what it costs is to take the picture in. */
export const LIGHT_IMAGES = "bench/runtime/models/light-images.onnx";
/** Convolutions of some tens of milliseconds. */
export const HEAVY_IMAGES = "bench/runtime/models/heavy-images.onnx";
export const LOAN = "examples/loan/2.0.0";

export const CONNECTIONS = 64;

const APPLICANT = { age: 34, income: 52_000, credit_score: 700 };

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A request of v2 infer in JSON. */
const inferRequest = (...tensors: Tensor[]): string =>
  JSON.stringify({ inputs: tensors.map((tensor) => ({ ...tensor, datatype: "FP32" })) });

export const FOREST_ROW: Tensor = {
  name: "features",
  shape: [1, 16],
  data: Array.from({ length: 16 }, (_, at) => Number((2 * Math.sin(at + 1)).toFixed(4))),
};
export const forestRequest = (): string => inferRequest(FOREST_ROW);

export const mlpRequest = (): string =>
  inferRequest({
    name: "x",
    shape: [1, 64],
    data: Array.from({ length: 64 }, (_, at) => Number(Math.sin(at).toFixed(4))),
  });

/** The applicant as MLServer can take it: an input for each column. */
export const loanRequest = (): string =>
  inferRequest(...Object.entries(APPLICANT).map(([name, value]) => ({ name, shape: [1, 1], data: [value] })));

export const inferTarget = (port: number, body: string): Target => ({ port, path: "/v2/models/model/infer", body });

export const predictTarget = (port: number): Target => ({ port, path: "/predict", body: JSON.stringify(APPLICANT) });

const IMAGE = { name: "image", shape: [1, 224, 224, 3] };

/** Pixels of a picture as float32 from 0 to 1. */
function pixels(): Float32Array {
  return Float32Array.from({ length: 224 * 224 * 3 }, (_, at) => ((at * 7919) % 256) / 255);
}

/** In JSON, as a Python client writes them. */
export const imageTarget = (port: number): Target => inferTarget(port, inferRequest({ ...IMAGE, data: [...pixels()] }));

/** By the binary tensor extension. */
export function binaryImageTarget(port: number): Target {
  const data = Buffer.from(pixels().buffer);
  const json = JSON.stringify({
    inputs: [{ ...IMAGE, datatype: "FP32", parameters: { binary_data_size: data.length } }],
  });
  return {
    ...inferTarget(port, ""),
    body: Buffer.concat([Buffer.from(json), data]),
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(Buffer.byteLength(json)),
    },
  };
}
