import type { Feature } from "../model/features.ts";

/** One entry of a 422 answer, shaped as FastAPI's. */
export interface Problem {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** The rows of a body, not yet checked. */
export interface SentRows {
  readonly rows: readonly unknown[];
  /** Whether the body is a list of rows, even of a single one. */
  readonly many: boolean;
  /** Where in the body the rows are; a row's number follows when there are many. */
  readonly at: readonly string[];
}

/** How a body may hold its rows, by the key that says so. MLflow's scoring server knows all but the single row. */
const FORMS: Readonly<Record<string, (value: unknown, features: readonly Feature[]) => SentRows | Problem>> = {
  instances: (value) => listOf(value, "instances"),
  dataframe_records: (value) => listOf(value, "dataframe_records"),
  dataframe_split: splitRows,
  inputs: (value, features) => (isObject(value) ? columnRows(value, features) : listOf(value, "inputs")),
};

/** A form's key counts as one unless a feature is called so and its value is no list or object. */
export function rowsIn(body: unknown, features: readonly Feature[]): SentRows | Problem {
  if (isObject(body)) {
    for (const form in FORMS) {
      if (!Object.hasOwn(body, form)) continue;
      const value = body[form];
      if ((typeof value === "object" && value !== null) || !features.some(({ name }) => name === form)) {
        return FORMS[form]?.(value, features) as SentRows | Problem;
      }
    }
  }
  return { rows: [body], many: false, at: [] };
}

function listOf(value: unknown, form: string): SentRows | Problem {
  return Array.isArray(value)
    ? { rows: value, many: true, at: [form] }
    : { loc: ["body", form], msg: "Input should be a valid list", type: "list_type" };
}

/** pandas' `to_dict(orient="split")`: column names once, then the values of each row. */
function splitRows(value: unknown): SentRows | Problem {
  const problem = (field: string, msg: string, type: string): Problem => ({
    loc: ["body", "dataframe_split", field],
    msg,
    type,
  });
  const { columns, data } = isObject(value) ? value : {};
  if (!Array.isArray(columns) || !columns.every((name) => typeof name === "string")) {
    return problem("columns", "Input should be a valid list of names", "list_type");
  }
  if (!Array.isArray(data)) return problem("data", "Input should be a valid list", "list_type");
  const names = columns as readonly string[];
  if (new Set(names).size < names.length) return problem("columns", "Two columns have the same name", "value_error");
  const ragged = data.findIndex((row) => !Array.isArray(row) || row.length !== names.length);
  if (ragged >= 0) return problem("data", `Row ${ragged} should be a list of ${names.length} values`, "list_type");
  return { rows: (data as unknown[][]).map((row) => record(names, row)), many: true, at: ["dataframe_split", "data"] };
}

/** A list of values for each column; single values make a single row. */
function columnRows(columns: Readonly<Record<string, unknown>>, features: readonly Feature[]): SentRows | Problem {
  const names = features.map(({ name }) => name).filter((name) => Object.hasOwn(columns, name));
  const lists = names.map((name) => {
    const column = columns[name];
    return Array.isArray(column) ? (column as unknown[]) : [column];
  });
  const length = lists[0]?.length ?? 1;
  const other = lists.findIndex((list) => list.length !== length);
  if (other >= 0) {
    const msg = `Column should have ${length} values as ${names[0]} has`;
    return { loc: ["body", "inputs", names[other] as string], msg, type: "value_error" };
  }
  const rows = Array.from({ length }, (_, row) =>
    record(
      names,
      lists.map((list) => list[row]),
    ),
  );
  return { rows, many: true, at: ["inputs"] };
}

/** Without a prototype, so that a column may have any name. */
export function record(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row = Object.create(null) as Record<string, unknown>;
  names.forEach((name, index) => {
    row[name] = values[index];
  });
  return row;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
