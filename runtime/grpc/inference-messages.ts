import {
  bool,
  bytes,
  double,
  embedded,
  float,
  int32,
  int64,
  many,
  message,
  one,
  optional,
  string,
  textBytes,
  uint32,
  uint64,
} from "./protobuf.ts";
import type { MessageType } from "./protobuf.ts";

/** The messages of the Open Inference Protocol's GRPCInferenceService. */

const PARAMETER = message("inference.InferParameter", {
  bool_param: optional(1, bool, "parameter_choice"),
  int64_param: optional(2, int64, "parameter_choice"),
  string_param: optional(3, string, "parameter_choice"),
  double_param: optional(4, double, "parameter_choice"),
  uint64_param: optional(5, uint64, "parameter_choice"),
});

const CONTENTS = message("inference.InferTensorContents", {
  bool_contents: many(1, bool),
  int_contents: many(2, int32),
  int64_contents: many(3, int64),
  uint_contents: many(4, uint32),
  uint64_contents: many(5, uint64),
  fp32_contents: many(6, float),
  fp64_contents: many(7, double),
  bytes_contents: many(8, textBytes),
});

/** A map on the wire is a list of entries. */
const parametersOf = (owner: string) =>
  message(
    `${owner}.ParametersEntry`,
    { key: one(1, string), value: optional(2, embedded(PARAMETER)) },
    { isMapEntry: true },
  );

const REQUEST_PARAMETERS = parametersOf("inference.ModelInferRequest");
const INPUT_PARAMETERS = parametersOf("inference.ModelInferRequest.InferInputTensor");
const REQUESTED_PARAMETERS = parametersOf("inference.ModelInferRequest.InferRequestedOutputTensor");
const RESPONSE_PARAMETERS = parametersOf("inference.ModelInferResponse");
const OUTPUT_PARAMETERS = parametersOf("inference.ModelInferResponse.InferOutputTensor");

const INPUT_TENSOR = message("inference.ModelInferRequest.InferInputTensor", {
  name: one(1, string),
  datatype: one(2, string),
  shape: many(3, int64),
  parameters: many(4, embedded(INPUT_PARAMETERS)),
  contents: optional(5, embedded(CONTENTS)),
});

const REQUESTED_OUTPUT = message("inference.ModelInferRequest.InferRequestedOutputTensor", {
  name: one(1, string),
  parameters: many(2, embedded(REQUESTED_PARAMETERS)),
});

const OUTPUT_TENSOR = message("inference.ModelInferResponse.InferOutputTensor", {
  name: one(1, string),
  datatype: one(2, string),
  shape: many(3, int64),
  parameters: many(4, embedded(OUTPUT_PARAMETERS)),
  contents: optional(5, embedded(CONTENTS)),
});

const TENSOR_METADATA = message("inference.ModelMetadataResponse.TensorMetadata", {
  name: one(1, string),
  datatype: one(2, string),
  shape: many(3, int64),
});

export const SERVER_LIVE_REQUEST = message("inference.ServerLiveRequest", {});
export const SERVER_LIVE_RESPONSE = message("inference.ServerLiveResponse", { live: one(1, bool) });
export const SERVER_READY_REQUEST = message("inference.ServerReadyRequest", {});
export const SERVER_READY_RESPONSE = message("inference.ServerReadyResponse", { ready: one(1, bool) });
export const MODEL_READY_REQUEST = message("inference.ModelReadyRequest", {
  name: one(1, string),
  version: one(2, string),
});
export const MODEL_READY_RESPONSE = message("inference.ModelReadyResponse", { ready: one(1, bool) });
export const SERVER_METADATA_REQUEST = message("inference.ServerMetadataRequest", {});
export const SERVER_METADATA_RESPONSE = message("inference.ServerMetadataResponse", {
  name: one(1, string),
  version: one(2, string),
  extensions: many(3, string),
});
export const MODEL_METADATA_REQUEST = message("inference.ModelMetadataRequest", {
  name: one(1, string),
  version: one(2, string),
});
export const MODEL_METADATA_RESPONSE = message("inference.ModelMetadataResponse", {
  name: one(1, string),
  versions: many(2, string),
  platform: one(3, string),
  inputs: many(4, embedded(TENSOR_METADATA)),
  outputs: many(5, embedded(TENSOR_METADATA)),
});
export const MODEL_INFER_REQUEST = message("inference.ModelInferRequest", {
  model_name: one(1, string),
  model_version: one(2, string),
  id: one(3, string),
  parameters: many(4, embedded(REQUEST_PARAMETERS)),
  inputs: many(5, embedded(INPUT_TENSOR)),
  outputs: many(6, embedded(REQUESTED_OUTPUT)),
  raw_input_contents: many(7, bytes),
});
export const MODEL_INFER_RESPONSE = message("inference.ModelInferResponse", {
  model_name: one(1, string),
  model_version: one(2, string),
  id: one(3, string),
  parameters: many(4, embedded(RESPONSE_PARAMETERS)),
  outputs: many(5, embedded(OUTPUT_TENSOR)),
  raw_output_contents: many(6, bytes),
});

/** For reflection: a message stands before those that are declared inside it. */
export const INFERENCE_MESSAGES: readonly MessageType[] = [
  SERVER_LIVE_REQUEST,
  SERVER_LIVE_RESPONSE,
  SERVER_READY_REQUEST,
  SERVER_READY_RESPONSE,
  MODEL_READY_REQUEST,
  MODEL_READY_RESPONSE,
  SERVER_METADATA_REQUEST,
  SERVER_METADATA_RESPONSE,
  MODEL_METADATA_REQUEST,
  MODEL_METADATA_RESPONSE,
  TENSOR_METADATA,
  PARAMETER,
  CONTENTS,
  MODEL_INFER_REQUEST,
  REQUEST_PARAMETERS,
  INPUT_TENSOR,
  INPUT_PARAMETERS,
  REQUESTED_OUTPUT,
  REQUESTED_PARAMETERS,
  MODEL_INFER_RESPONSE,
  RESPONSE_PARAMETERS,
  OUTPUT_TENSOR,
  OUTPUT_PARAMETERS,
];
