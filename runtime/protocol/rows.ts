import type { Job } from "../batching/micro-batcher.ts";
import { mapped } from "../mapped.ts";
import type { Feature } from "../model/features.ts";
import { LARGEST_FLOATS, fitsInteger, isIntegerType } from "../model/tensor.ts";
import type { Element, TensorSpec } from "../model/tensor.ts";
import { csvRows } from "./csv.ts";
import { isObject, rowsIn } from "./row-forms.ts";
import type { Problem, SentRows } from "./row-forms.ts";

export type Rows =
  | { readonly ok: true; readonly job: Job; readonly many: boolean }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A client that sends nothing right gets the first of its mistakes, not megabytes of them. */
const MAX_PROBLEMS = 100;

/** Reads rows of named fields, or of values in the features' order, into the pipeline's inputs. */
export class RowReader {
  readonly #features: readonly Feature[];
  readonly #widths: readonly number[];
  readonly #ranks: readonly number[];

  constructor(features: readonly Feature[], inputs: readonly TensorSpec[]) {
    this.#features = features;
    this.#widths = inputs.map((_, index) => features.filter(({ input }) => input === index).length);
    this.#ranks = inputs.map(({ shape }) => shape?.length ?? 2);
  }

  /** The JSON body of a request, in any of the forms of row-forms.ts. Fields that are no features are ignored. */
  read(body: unknown): Rows {
    const sent = rowsIn(body, this.#features);
    return "rows" in sent ? this.#readRows(sent) : { ok: false, problems: [sent] };
  }

  /** A CSV body, whose first line names the columns. */
  readCsv(text: string): Rows {
    const sent = csvRows(text, this.#features);
    return "rows" in sent ? this.#readRows(sent) : { ok: false, problems: [sent] };
  }

  #readRows({ rows, many, at }: SentRows): Rows {
    if (rows.length === 0) {
      const msg = "List should have at least 1 item after validation, not 0";
      return { ok: false, problems: [{ loc: ["body", ...at], msg, type: "too_short" }] };
    }
    const inputs = mapped(this.#widths, (): Element[] => []);
    const problems: Problem[] = [];
    for (let row = 0; row < rows.length && problems.length < MAX_PROBLEMS; row += 1) {
      this.#readRow(rows[row], inputs, (field, msg, type) => {
        problems.push({ loc: ["body", ...at, ...(many ? [row] : []), ...field], msg, type });
      });
    }
    if (problems.length > 0) return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
    const dims = mapped(this.#widths, (width, index) =>
      this.#ranks[index] === 1 ? [rows.length] : [rows.length, width],
    );
    return { ok: true, many, job: { rows: rows.length, inputs, dims } };
  }

  #readRow(
    row: unknown,
    inputs: readonly Element[][],
    report: (field: readonly string[], msg: string, type: string) => void,
  ): void {
    if (Array.isArray(row) && row.length === this.#features.length) {
      this.#features.forEach((feature, index) => this.#readValue(row[index], feature, inputs, report));
      return;
    }
    if (!isObject(row)) {
      report([], "Input should be a valid dictionary or object to extract fields from", "model_attributes_type");
      return;
    }
    for (const feature of this.#features) {
      if (!Object.hasOwn(row, feature.name)) {
        report([feature.name], "Field required", "missing");
        continue;
      }
      this.#readValue(row[feature.name], feature, inputs, report);
    }
  }

  #readValue(
    value: unknown,
    feature: Feature,
    inputs: readonly Element[][],
    report: (field: readonly string[], msg: string, type: string) => void,
  ): void {
    const mistake = mistakeIn(value, feature);
    if (mistake) report([feature.name], mistake.msg, mistake.type);
    else inputs[feature.input]?.push(value === null ? feature.missing : (value as Element));
  }
}

/** What is wrong with a value, in pydantic's words; undefined when nothing is. */
function mistakeIn(value: unknown, feature: Feature): { msg: string; type: string } | undefined {
  if (value === null && feature.nullable) return undefined;
  switch (feature.type) {
    case "number":
      if (typeof value !== "number") return { msg: "Input should be a valid number", type: "float_type" };
      return finiteIn(feature, value) ? undefined : { msg: "Input should be a finite number", type: "finite_number" };
    case "integer":
      if (typeof value !== "number") return { msg: "Input should be a valid integer", type: "int_type" };
      if (!finiteIn(feature, value)) return { msg: "Input should be a finite number", type: "finite_number" };
      if (!Number.isInteger(value)) {
        return { msg: "Input should be a valid integer, got a number with a fractional part", type: "int_from_float" };
      }
      if (!Number.isSafeInteger(value)) {
        return {
          msg: "Input should be an integer that JSON carries exactly, up to 2^53 - 1",
          type: "int_parsing_size",
        };
      }
      return !isIntegerType(feature.element) || fitsInteger(value, feature.element)
        ? undefined
        : { msg: `Input should fit ${feature.element}`, type: "int_parsing_size" };
    case "string":
      return typeof value === "string" ? undefined : { msg: "Input should be a valid string", type: "string_type" };
    case "boolean":
      return typeof value === "boolean" ? undefined : { msg: "Input should be a valid boolean", type: "bool_type" };
  }
}

/** JSON can say 1e400, and a float32 input cannot hold 1e39: both would become infinite. */
const finiteIn = ({ element }: Feature, value: number): boolean =>
  Math.abs(value) <= (LARGEST_FLOATS[element] ?? Number.MAX_VALUE);
