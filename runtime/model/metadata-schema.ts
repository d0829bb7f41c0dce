import * as z from "zod";

import { withoutNulls } from "./json-document.ts";
import { ACTIVATIONS, FEATURE_TYPES, LONGEST_NAME, LONGEST_VERSION } from "./metadata-terms.ts";

/*
 * The form of metadata.json, of which schemas/metadata.schema.json is made. Everything is optional, null is absent (as
 * which Python writes None), and keys that it does not know are kept for /model/info.
 */

export type FeatureType = (typeof FEATURE_TYPES)[number];

const featureName = z.string().min(1).max(LONGEST_NAME);

const FEATURE = z
  .union(
    [
      featureName,
      z
        .looseObject({
          name: featureName.describe("The field's name in requests."),
          type: z
            .enum(FEATURE_TYPES)
            .nullish()
            .describe("What requests send; by default what the graph's input takes."),
          nullable: z
            .boolean()
            .nullish()
            .describe("Whether requests may send null, which is fed as NaN or as `missing`."),
          missing: z
            .union([z.string(), z.number(), z.boolean()])
            .nullish()
            .describe("What is fed for null; makes the feature nullable."),
          input: z
            .string()
            .min(1)
            .nullish()
            .describe("The graph's input of which it is the next column, where several inputs have several columns."),
        })
        .transform(withoutNulls),
    ],
    { error: 'expected a name or {"name", "type", "nullable", "missing", "input"}' },
  )
  .meta({ examples: ["income", { name: "age", type: "integer" }, { name: "region", type: "string", missing: "" }] });

const OUTPUT = z
  .looseObject({
    tensor: z.string().min(1).nullish().describe("The output that holds the answer, when there are several."),
    activation: z
      .enum(ACTIVATIONS)
      .nullish()
      .describe("What makes probabilities of a classifier's scores; none by default."),
    threshold: z
      .number()
      .min(0)
      .max(1)
      .nullish()
      .describe("Of two classes: the second is predicted from this probability on; overrules the model's own label."),
  })
  .transform(withoutNulls);

/** As a document may be written. What it becomes has no null where null means absent. */
export const METADATA = z
  .looseObject({
    model_type: z
      .string()
      .nullish()
      .describe("What was trained, for people.")
      .meta({ examples: ["RandomForestClassifier"] }),
    version: z
      .union([z.string().min(1).max(LONGEST_VERSION), z.number()], {
        error: `expected 1 to ${LONGEST_VERSION} characters, or a number`,
      })
      .transform(String) // MLflow's versions are numbers
      .nullish()
      .describe("The model_version of answers and metrics.")
      .meta({ examples: ["1.0.0"] }),
    features: z
      .array(FEATURE)
      .min(1)
      .refine((features) => isUnique(features.map(nameOf)), "two features have the same name")
      .meta({ uniqueItems: true })
      .nullish()
      .describe("The named fields of a request, no two of one name, in the order of the graph's columns."),
    target: z
      .string()
      .nullish()
      .describe("What is predicted, for people.")
      .meta({ examples: ["approved"] }),
    task: z
      .string()
      .nullish()
      .describe(
        "`classification` or `regression`; longer words that contain them count too. Without it the outputs decide.",
      )
      .meta({ examples: ["classification", "regression", "tabular-classification"] }),
    classes: z
      .array(z.union([z.string(), z.number(), z.boolean()], { error: "expected text, a number, true or false" }))
      .min(2)
      .refine((classes) => isUnique(classes.map(String)), "two classes have the same label")
      .meta({ uniqueItems: true })
      .nullish()
      .describe("The labels, in the order of the scores.")
      .meta({ examples: [["rejected", "approved"]] }),
    output: OUTPUT.nullish()
      .describe("How the graph's outputs become an answer.")
      .meta({ examples: [{ tensor: "logit", activation: "sigmoid", threshold: 0.3 }] }),
    metrics: z
      .record(z.string(), z.unknown())
      .nullish()
      .describe("What was measured at the training, by name.")
      .meta({ examples: [{ accuracy: 0.93, roc_auc: 0.97 }] }),
    created_at: z
      .string()
      .nullish()
      .describe("When it was trained (RFC 3339).")
      .meta({ examples: ["2026-01-15T09:00:00Z"] }),
  })
  .meta({
    title: "metadata.json",
    description:
      "What a model is and how it is asked. Everything is optional, null is absent, other keys are kept and shown by /model/info.",
    examples: [
      {
        model_type: "RandomForestClassifier",
        version: "1.0.0",
        task: "classification",
        features: [{ name: "age", type: "integer" }, { name: "income", type: "number" }, "credit_score"],
        classes: ["rejected", "approved"],
        metrics: { accuracy: 0.93 },
      },
    ],
  })
  .transform(withoutNulls);

export type Metadata = z.infer<typeof METADATA>;
export type ClassLabel = string | number | boolean;

const isUnique = (names: readonly string[]): boolean => new Set(names).size === names.length;

function nameOf(feature: z.infer<typeof FEATURE>): string {
  return typeof feature === "string" ? feature : feature.name;
}
