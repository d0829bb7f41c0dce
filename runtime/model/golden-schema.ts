import * as z from "zod";

import { DEFAULT_TOLERANCE } from "../golden/difference.ts";

/* The form of golden.json, of which schemas/golden.schema.json is made. */

const difference = z.number().min(0);
const score = z.number().nullable();

const OUTPUT = z.looseObject({
  prediction: z
    .union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.unknown()), z.record(z.string(), z.unknown())], {
      error: "expected the prediction: a label, a number, or lists or objects of them",
    })
    .describe("As /predict answers it: the label, the number, or the outputs; null for NaN."),
  probability: score.optional().describe("Of the second class when there are two, else of the predicted one."),
  probabilities: z
    .union([z.record(z.string(), score), z.array(score)], { error: "expected numbers by class, or a list of them" })
    .nullish()
    .describe("By class, or a list in the model's order where metadata.json names no classes."),
});

const ROW = z.looseObject({
  input: z
    .record(z.string(), z.unknown())
    .describe(
      "The row as /predict takes it; for a model without named fields the nested array of each input, by name.",
    ),
  output: OUTPUT.describe("The original model's answer. What is not stated is not compared."),
});

export const GOLDEN = z
  .looseObject({
    tolerance: z
      .looseObject({
        absolute: difference.optional().describe(`By default ${DEFAULT_TOLERANCE.absolute}.`),
        relative: difference.optional().describe(`By default ${DEFAULT_TOLERANCE.relative}.`),
      })
      .nullish()
      .describe("How far a number may be off: |got - expected| <= absolute + relative × |expected|."),
    rows: z.array(ROW).describe("Requests with the answers that the original model gave."),
  })
  .meta({
    title: "golden.json",
    description: "Requests with the answers that are expected of a model. They are checked before it serves.",
    examples: [
      {
        rows: [
          {
            input: { age: 37, income: 54321.37, credit_score: 661 },
            output: { prediction: "approved", probabilities: { rejected: 0.4758, approved: 0.5242 } },
          },
        ],
      },
    ],
  });

export type Golden = z.infer<typeof GOLDEN>;
