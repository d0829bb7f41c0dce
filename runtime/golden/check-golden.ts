import { LoadError } from "../load-error.ts";
import type { Prediction } from "../model/answer.ts";
import type { Golden } from "../model/golden-schema.ts";
import type { Model } from "../model/model.ts";
import { InferError } from "../protocol/infer-error.ts";
import type { Rows } from "../protocol/rows.ts";
import { readTensorRows } from "../protocol/tensor-rows.ts";
import { ServedModel } from "../served-model.ts";
import type { Asker } from "../served-model.ts";
import { DEFAULT_TOLERANCE, goldenDifference } from "./difference.ts";
import type { Difference, Tolerance } from "./difference.ts";

/** At the start; more of them would make it longer and say little more. */
const MAX_ROWS = 100;
const MAX_MS = 2000;

/** How many golden rows a start may ask a model, of which one row takes `runMs`. */
export const rowsAtStart = (runMs = 0): number => Math.max(1, Math.min(MAX_ROWS, Math.floor(MAX_MS / runMs)));

interface Options {
  readonly maxRows: number;
  /** Most rows in one run, as the rows of requests share them that come together. */
  readonly batchRows: number;
  readonly source: string;
}

/**
 * Asks the model golden.json's first rows as clients would. Returns how many that were. Throws a LoadError
 * (SignatureMismatch) that names a row, what was expected there and what the model answers.
 */
export async function checkGolden(model: Model, golden: Golden, options: Options): Promise<number> {
  const { maxRows, batchRows, source } = options;
  const served = quietly(model, batchRows);
  const tolerance = {
    absolute: golden.tolerance?.absolute ?? DEFAULT_TOLERANCE.absolute,
    relative: golden.tolerance?.relative ?? DEFAULT_TOLERANCE.relative,
  };
  const rows = golden.rows.slice(0, maxRows);
  const differences: string[] = [];
  for (let first = 0; first < rows.length; first += batchRows) {
    const together = rows.slice(first, first + batchRows);
    const answers = await allOf(
      together.map(({ input }, index) =>
        answer(served, input, `loading ${source}: golden.json: rows[${first + index}]`),
      ),
    );
    for (const [index, { output }] of together.entries()) {
      const difference = goldenDifference(output, answers[index] as Prediction, tolerance);
      if (difference) differences.push(`rows[${first + index}].output.${inWords(difference, tolerance)}`);
    }
  }
  const [first] = differences;
  if (first === undefined) return rows.length;
  throw new LoadError(
    "SignatureMismatch",
    `loading ${source}: golden.json: ${first}; ${differences.length} of ${rows.length} rows differ; export both from the same training run, or widen "tolerance" in golden.json`,
  );
}

/** Rejects as the first of them that does, but not before all have ended: whoever hears of it closes the model. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

async function answer(served: ServedModel, input: object, row: string): Promise<Prediction> {
  const read = readRow(served, input, row);
  if (!read.ok) {
    const problems = read.problems.slice(0, 5).map(({ loc, msg }) => `input.${loc.slice(3).join(".")}: ${msg}`);
    throw new LoadError(
      "SignatureMismatch",
      `${row}.${problems.join("; ")}; the model takes ${fields(served)}; export both from the same training run`,
    );
  }
  try {
    return (await served.predict(read.job, NOBODY))[0] as Prediction;
  } catch (cause) {
    throw new LoadError("SignatureMismatch", `${row}: the model fails on this input: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function readRow({ rows, model }: ServedModel, input: object, row: string): Rows {
  const body = { instances: [input] };
  if (rows !== undefined) return rows.read(body);
  try {
    return readTensorRows(body, model.pipeline, model.batchable);
  } catch (cause) {
    if (!(cause instanceof InferError)) throw cause;
    throw new LoadError(
      "SignatureMismatch",
      `${row}.input: ${cause.message}; a model without named fields takes the nested array of each input, by name`,
      { cause },
    );
  }
}

const fields = ({ model }: ServedModel): string =>
  (model.features ?? []).map(({ name, type, nullable }) => `${name}: ${type}${nullable ? " or null" : ""}`).join(", ");

function inWords({ at, expected, got }: Difference, { absolute, relative }: Tolerance): string {
  const room =
    typeof expected === "number" ? ` ± ${Number((absolute + relative * Math.abs(expected)).toPrecision(2))}` : "";
  return `${at}: expected ${shown(expected)}${room}, the model answers ${got === undefined ? "nothing there" : shown(got)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const NOBODY: Asker = { requestId: "", protocol: "predict", began: 0, header: () => undefined };

/** The model as it is served, but counted and logged nowhere. */
function quietly(model: Model, batchRows: number): ServedModel {
  const identity = { name: "", version: "", variant: "", revision: undefined, source: "", sha256: "" };
  const ignore = (): void => undefined;
  return new ServedModel(model, identity, new Date(0), {
    maxRows: batchRows,
    maxQueue: batchRows,
    maxWait: Number.POSITIVE_INFINITY,
    maxDelay: 0,
    now: () => 0,
    onRun: ignore,
    onRan: ignore,
    onWait: ignore,
  });
}
