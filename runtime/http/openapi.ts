import type { Feature } from "../model/features.ts";
import { LARGEST_FLOATS, integerRange, isIntegerType } from "../model/tensor.ts";
import type { ServedModel } from "../served-model.ts";

const JSON_BODY = "application/json";

/** What /openapi.json answers: the API with the loaded model's own fields. */
export function openApi({ identity, model }: ServedModel): object {
  const { features, example } = model;
  const row = features && rowSchema(features, example);
  const instances = {
    type: "object",
    required: ["instances"],
    properties: { instances: { type: "array", minItems: 1, items: row } },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: identity.name,
      version: identity.version,
      description: [model.metadata.model_type, model.metadata.target && `predicts ${model.metadata.target}`]
        .filter(Boolean)
        .join(", "),
    },
    paths: {
      ...(row && {
        "/predict": {
          post: {
            operationId: "predict",
            summary: "Predict from one row, or from many as instances",
            requestBody: {
              required: true,
              content: { [JSON_BODY]: { schema: { anyOf: [row, instances] }, ...(example && { example }) } },
            },
            responses: {
              200: answer("The prediction", { oneOf: [predictionSchema(model, true), predictionsSchema(model)] }),
              ...errors("detail"),
              422: answer("The input does not fit the model", PROBLEMS),
            },
          },
        },
      }),
      [`/v2/models/${encodeURIComponent(identity.name)}/infer`]: {
        post: {
          operationId: "infer",
          summary: "Open Inference Protocol v2: tensors in, tensors out",
          requestBody: { required: true, content: { [JSON_BODY]: { schema: inferSchema(model) } } },
          responses: { 200: answer("The outputs", { type: "object", required: ["outputs"] }), ...errors("error") },
        },
      },
      "/health": {
        get: {
          operationId: "health",
          summary: "Whether the model is served",
          responses: {
            200: answer("It is", { type: "object" }),
            503: answer("Not yet, or no longer", { type: "object" }),
          },
        },
      },
      "/model/info": {
        get: {
          operationId: "modelInfo",
          summary: "All that is known of the model",
          responses: {
            200: answer("The model", { type: "object" }),
            503: answer("Not yet loaded", { type: "object" }),
          },
        },
      },
    },
  };
}

function rowSchema(features: readonly Feature[], example: Readonly<Record<string, unknown>> | undefined): object {
  const property = (feature: Feature): [string, object] => {
    const { name, type, nullable } = feature;
    const examples = example && Object.hasOwn(example, name) && { examples: [example[name]] };
    return [name, { type: nullable ? [type, "null"] : type, ...bounds(feature), ...examples }];
  };
  return {
    type: "object",
    title: "Row",
    required: features.map(({ name }) => name),
    properties: Object.fromEntries(features.map(property)),
  };
}

/** What the input can hold. */
function bounds({ type, element }: Feature): object {
  if (type !== "number" && type !== "integer") return {};
  if (type === "integer") {
    const [minimum, maximum] = integerRange(isIntegerType(element) ? element : "int64");
    return { minimum, maximum };
  }
  const largest = LARGEST_FLOATS[element];
  return largest === undefined ? {} : { minimum: -largest, maximum: largest };
}

function predictionSchema({ answers }: ServedModel["model"], isWhole: boolean): object {
  return {
    type: "object",
    required: ["prediction", ...(isWhole ? ["model_version", "model_variant", "request_id"] : [])],
    properties: {
      prediction: {},
      ...(answers.kind === "classification" && {
        probability: { type: ["number", "null"] },
        probabilities: { type: ["object", "array"] },
      }),
      ...(isWhole && IDENTITY),
    },
  };
}

function predictionsSchema(model: ServedModel["model"]): object {
  return {
    type: "object",
    required: ["predictions", ...Object.keys(IDENTITY)],
    properties: { predictions: { type: "array", items: predictionSchema(model, false) }, ...IDENTITY },
  };
}

const IDENTITY = {
  model_version: { type: "string" },
  model_variant: { type: "string" },
  request_id: { type: "string" },
};

const PROBLEMS = {
  type: "object",
  required: ["detail"],
  properties: {
    detail: {
      type: "array",
      items: {
        type: "object",
        required: ["loc", "msg", "type"],
        properties: {
          loc: { type: "array", items: { type: ["string", "integer"] } },
          msg: { type: "string" },
          type: { type: "string" },
        },
      },
    },
  },
};

function inferSchema({ pipeline }: ServedModel["model"]): object {
  return {
    type: "object",
    required: ["inputs"],
    properties: {
      id: { type: "string", maxLength: 1024 },
      inputs: {
        type: "array",
        minItems: pipeline.inputs.length,
        items: {
          type: "object",
          required: ["name", "datatype", "shape", "data"],
          properties: {
            name: { enum: pipeline.inputs.map(({ name }) => name) },
            datatype: { type: "string" },
            shape: { type: "array", items: { type: "integer", minimum: 1 } },
            data: { type: "array" },
          },
        },
      },
    },
  };
}

/** The statuses that any prediction may end with. */
function errors(key: "detail" | "error"): object {
  const schema = { type: "object", required: [key] };
  return Object.fromEntries(
    Object.entries({
      400: "The body cannot be read",
      413: "The body is too large",
      415: "The body is of another type",
      500: "The model failed on this input",
      503: "The model is loading, or too many predictions are in flight: try again",
      504: "No run began in time",
    }).map(([status, description]) => [status, answer(description, schema)]),
  );
}

const answer = (description: string, schema: object): object => ({ description, content: { [JSON_BODY]: { schema } } });
