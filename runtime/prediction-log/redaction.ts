import type { Model } from "../model/model.ts";

/** What never reaches a line, by its place in the model. */
export interface Redaction {
  /** Per feature. */
  readonly features: readonly boolean[];
  /** Per pipeline input: all of it, or by column. */
  readonly inputs: readonly (boolean | readonly boolean[])[];
  /** Names of outputs. */
  readonly outputs: ReadonlySet<string>;
  /** All that is said of a row: a label, the probabilities and the tensors that they come from tell each other. */
  readonly predictions: boolean;
  readonly key: boolean;
  /** Names that mean nothing to this model. */
  readonly unknown: readonly string[];
}

const PREDICTION_FIELDS = ["prediction", "probability", "probabilities"];

/** `names` are of features, inputs, outputs, the answer's fields, the target, or the header that brings the key. */
export function redactionOf(
  names: readonly string[],
  { features = [], pipeline, metadata }: Pick<Model, "features" | "pipeline" | "metadata">,
  keyHeader: string | undefined,
): Redaction {
  const asked = new Set(names);
  const inputNames = pipeline.inputs.map(({ name }) => name);
  const outputNames = pipeline.outputs.map(({ name }) => name);
  const ofPrediction = [
    ...PREDICTION_FIELDS,
    ...outputNames,
    ...(metadata.target === undefined ? [] : [metadata.target]),
  ];
  const isHidden = ({ name, input }: { name: string; input: number }): boolean =>
    asked.has(name) || asked.has(inputNames[input] ?? "");
  const isKey = (name: string): boolean => name.toLowerCase() === keyHeader?.toLowerCase();
  const known = new Set([...features.map(({ name }) => name), ...inputNames, ...ofPrediction]);
  const predictions = ofPrediction.some((name) => asked.has(name));
  return {
    features: features.map(isHidden),
    inputs: inputNames.map((name, input) => {
      if (asked.has(name)) return true;
      const columns = features.filter((feature) => feature.input === input).map(isHidden);
      return columns.includes(true) ? columns : false;
    }),
    outputs: new Set(PREDICTION_FIELDS.some((name) => asked.has(name)) ? outputNames : names),
    predictions,
    key: names.some(isKey),
    unknown: names.filter((name) => !known.has(name) && !isKey(name)),
  };
}
