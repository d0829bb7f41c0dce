import type { Job } from "../batching/micro-batcher.ts";
import type { Feature } from "../model/features.ts";
import { fitsInteger, isIntegerType } from "../model/tensor.ts";
import type { Element, TensorSpec } from "../model/tensor.ts";

/** One entry of a 422 answer, shaped as FastAPI's. */
export interface Problem {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

export type Rows =
  | { readonly ok: true; readonly job: Job; readonly many: boolean }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A client that sends nothing right gets the first of its mistakes, not megabytes of them. */
const MAX_PROBLEMS = 100;

/** Reads the body of /predict, one row or `{"instances": [row, …]}`, into the pipeline's inputs. */
export class RowReader {
  readonly #features: readonly Feature[];
  readonly #widths: readonly number[];
  readonly #ranks: readonly number[];

  constructor(features: readonly Feature[], inputs: readonly TensorSpec[]) {
    this.#features = features;
    this.#widths = inputs.map((_, index) => features.filter(({ input }) => input === index).length);
    this.#ranks = inputs.map(({ shape }) => shape?.length ?? 2);
  }

  /** Fields that are no features are ignored. */
  read(body: unknown): Rows {
    const many =
      isObject(body) &&
      Object.hasOwn(body, "instances") &&
      (Array.isArray(body["instances"]) || !this.#features.some(({ name }) => name === "instances"));
    const rows = many ? body["instances"] : [body];
    if (!Array.isArray(rows)) {
      return failed({ loc: ["body", "instances"], msg: "Input should be a valid list", type: "list_type" });
    }
    if (rows.length === 0) {
      return failed({
        loc: ["body", "instances"],
        msg: "List should have at least 1 item after validation, not 0",
        type: "too_short",
      });
    }
    const inputs: Element[][] = this.#widths.map(() => []);
    const problems: Problem[] = [];
    for (let row = 0; row < rows.length && problems.length < MAX_PROBLEMS; row += 1) {
      this.#readRow(rows[row], inputs, (field, msg, type) => {
        problems.push({ loc: ["body", ...(many ? ["instances", row] : []), ...field], msg, type });
      });
    }
    if (problems.length > 0) return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) };
    const dims = this.#widths.map((width, index) => (this.#ranks[index] === 1 ? [rows.length] : [rows.length, width]));
    return { ok: true, many, job: { rows: rows.length, inputs, dims } };
  }

  #readRow(
    row: unknown,
    inputs: readonly Element[][],
    report: (field: readonly string[], msg: string, type: string) => void,
  ): void {
    if (!isObject(row)) {
      report([], "Input should be a valid dictionary or object to extract fields from", "model_attributes_type");
      return;
    }
    for (const feature of this.#features) {
      if (!Object.hasOwn(row, feature.name)) {
        report([feature.name], "Field required", "missing");
        continue;
      }
      const value = row[feature.name];
      const mistake = mistakeIn(value, feature);
      if (mistake) report([feature.name], mistake.msg, mistake.type);
      else inputs[feature.input]?.push(value === null ? feature.missing : (value as Element));
    }
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
function finiteIn({ element }: Feature, value: number): boolean {
  if (element === "float16") return Number.isFinite(Math.f16round(value));
  return Number.isFinite(element === "float32" ? Math.fround(value) : value);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const failed = (problem: Problem): Rows => ({ ok: false, problems: [problem] });
