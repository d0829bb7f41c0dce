import type { Feature } from "../model/features.ts";
import { record } from "./row-forms.ts";
import type { Problem, SentRows } from "./row-forms.ts";

/** A field, quoted or not, and what ends it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

/** pandas' and others' words for a missing value. */
const MISSING = new Set(["", "NaN", "nan", "NA", "null", "None"]);

/** Rows as RFC 4180 has them; the first line names the columns. What a text means depends on the feature's type. */
export function csvRows(text: string, features: readonly Feature[]): SentRows | Problem {
  const lines = linesOf(text);
  if (!Array.isArray(lines)) return lines;
  const [names = [], ...rows] = lines;
  if (new Set(names).size < names.length) {
    return { loc: ["body", "csv"], msg: "Two columns have the same name", type: "value_error" };
  }
  const ragged = rows.findIndex((row) => row.length !== names.length);
  if (ragged >= 0) {
    const msg = `Row should have ${names.length} fields as the first line has`;
    return { loc: ["body", "csv", ragged], msg, type: "value_error" };
  }
  const types = new Map(features.map(({ name, type }) => [name, type]));
  const typed = (row: readonly string[]): unknown[] =>
    row.map((field, index) => value(field, types.get(names[index] ?? "")));
  return { rows: rows.map((row) => record(names, typed(row))), many: true, at: ["csv"] };
}

function linesOf(text: string): string[][] | Problem {
  const lines: string[][] = [];
  let line: string[] = [];
  let position = text.startsWith("\uFEFF") ? 1 : 0;
  while (position < text.length || line.length > 0) {
    FIELD.lastIndex = position;
    const match = FIELD.exec(text);
    if (match === null)
      return { loc: ["body", "csv", position], msg: "CSV decode error: stray quote", type: "csv_invalid" };
    const [whole, quoted, plain = "", end] = match;
    position += whole.length;
    line.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (line.length > 1 || line[0] !== "") lines.push(line); // an empty line is none
    line = [];
  }
  return lines;
}

function value(field: string, type: Feature["type"] | undefined): unknown {
  if (type === undefined || (type === "string" && field !== "")) return field;
  if (MISSING.has(field)) return null;
  if (type === "boolean")
    return { true: true, True: true, "1": true, false: false, False: false, "0": false }[field] ?? field;
  const number = Number(field);
  return Number.isNaN(number) ? field : number;
}
