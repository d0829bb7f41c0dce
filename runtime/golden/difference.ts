import type { Prediction } from "../model/answer.ts";
import type { Golden } from "../model/golden-schema.ts";

export type ExpectedOutput = Golden["rows"][number]["output"];

/** How far a number may be off: |got - expected| <= absolute + relative x |expected|. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** Where golden.json says nothing else. */
export const DEFAULT_TOLERANCE: Tolerance = { absolute: 1e-5, relative: 1e-4 };

export interface Difference {
  /** Where in the row's output: `probabilities.approved`, `prediction[2]`. */
  readonly at: string;
  readonly expected: unknown;
  /** Undefined when the model answers nothing there. */
  readonly got: unknown;
}

/** The first place where an answer is not the expected one; undefined when it is, as far as that says. */
export function goldenDifference(
  expected: ExpectedOutput,
  got: Prediction,
  tolerance: Tolerance,
): Difference | undefined {
  const { prediction, probability, probabilities } = expected;
  return (
    (probabilities ? valueDifference(probabilities, got.probabilities, "probabilities", tolerance) : undefined) ??
    (isTie(expected, got, tolerance)
      ? undefined
      : valueDifference(prediction, got.prediction, "prediction", tolerance)) ??
    (probability === undefined ? undefined : valueDifference(probability, got.probability, "probability", tolerance))
  );
}

function valueDifference(expected: unknown, got: unknown, at: string, tolerance: Tolerance): Difference | undefined {
  if (typeof expected === "number" && typeof got === "number")
    return isClose(expected, got, tolerance) ? undefined : { at, expected, got };
  if (!isNested(expected)) return expected === got ? undefined : { at, expected, got };
  if (!isNested(got) || Array.isArray(expected) !== Array.isArray(got)) return { at, expected, got };
  if (Array.isArray(expected) && Array.isArray(got) && expected.length !== got.length) return { at, expected, got };
  for (const [key, value] of Object.entries(expected)) {
    const inner = Array.isArray(expected) ? `${at}[${key}]` : `${at}.${key}`;
    const found = Object.hasOwn(got, key) ? got[key] : undefined;
    const difference = valueDifference(value, found, inner, tolerance);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

const isClose = (expected: number, got: number, { absolute, relative }: Tolerance): boolean =>
  Math.abs(got - expected) <= absolute + relative * Math.abs(expected);

/** Whether two labels are as likely as each other: then another CPU's last bit may decide. */
function isTie({ prediction, probabilities }: ExpectedOutput, got: Prediction, tolerance: Tolerance): boolean {
  if (!isNested(probabilities)) return false;
  const [one, other] = [prediction, got.prediction].map((label) => probabilities[String(label)]);
  return typeof one === "number" && typeof other === "number" && isClose(one, other, tolerance);
}

const isNested = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;
