import { getJson } from "./http.ts";

/** More values than anyone wants to see in a terminal. */
const MAX_VALUES = 256;

/** A request that the model answers. */
export interface Question {
  readonly path: string;
  readonly body: object;
}

interface OpenApi {
  paths: Record<string, { post?: { requestBody: { content: { "application/json": { example?: object } } } } }>;
}

interface ModelInfo {
  model_name: string;
  signature: { inputs: { name: string; datatype: string; shape: (number | string | null)[] | null }[] };
}

/**
 * What to ask the model at `url`, as it says itself: a row of its golden.json or of zeros; zeros in its tensors when it takes
 * no rows. Undefined when those would fill the screen.
 */
export async function exampleQuestion(url: string, signal: AbortSignal): Promise<Question | undefined> {
  const { paths } = await getJson<OpenApi>(`${url}/openapi.json`, signal);
  const row = paths["/predict"]?.post?.requestBody.content["application/json"].example;
  if (row !== undefined) return { path: "/predict", body: row };
  return tensorQuestion(await getJson<ModelInfo>(`${url}/model/info`, signal));
}

function tensorQuestion({ model_name, signature }: ModelInfo): Question | undefined {
  const inputs = signature.inputs.map(({ name, datatype, shape }) => {
    const sizes = (shape ?? [1]).map((size) => (typeof size === "number" && size > 0 ? size : 1));
    const values = sizes.reduce((product, size) => product * size, 1);
    const zero = datatype === "BYTES" ? "" : datatype === "BOOL" ? false : 0;
    return {
      name,
      datatype,
      shape: sizes,
      data: Array.from({ length: Math.min(values, MAX_VALUES) }, () => zero),
      values,
    };
  });
  if (inputs.reduce((sum, { values }) => sum + values, 0) > MAX_VALUES) return undefined;
  const path = `/v2/models/${encodeURIComponent(model_name)}/infer`;
  return { path, body: { inputs: inputs.map(({ values: _values, ...input }) => input) } };
}
