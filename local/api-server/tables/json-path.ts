import { isObject } from "../objects.ts";

type Step =
  | { field: string }
  | { index: number }
  | { all: true }
  | { filter: { path: string; operator: string; value: string } };

/** Reads a CRD's JSONPath (`.status.conditions[?(@.type=="Ready")].status`) from an object; undefined when nothing is there. */
export function readJsonPath(object: unknown, path: string): unknown {
  const [first] = select([object], parse(path));
  return first;
}

function parse(path: string): Step[] {
  const steps: Step[] = [];
  const pattern =
    /\.((?:\\.|[^.[\]\\])+)|\[(\d+)\]|\[\*\]|\['([^']+)'\]|\[\?\(\s*@\.([^=!<>\s]+)\s*(==|!=)\s*["']?([^"')]*)["']?\s*\)\]/g;
  for (const match of path.matchAll(pattern)) {
    const [text, field, index, quoted, filterPath, operator, value] = match;
    if (field !== undefined) steps.push({ field: field.replaceAll("\\.", ".") });
    else if (quoted !== undefined) steps.push({ field: quoted.replaceAll("\\.", ".") });
    else if (index !== undefined) steps.push({ index: Number(index) });
    else if (text === "[*]") steps.push({ all: true });
    else steps.push({ filter: { path: filterPath ?? "", operator: operator ?? "==", value: value ?? "" } });
  }
  return steps;
}

function select(values: unknown[], steps: readonly Step[]): unknown[] {
  return steps.reduce<unknown[]>((found, step) => found.flatMap((value) => follow(value, step)), values);
}

function follow(value: unknown, step: Step): unknown[] {
  if ("field" in step) return isObject(value) && value[step.field] !== undefined ? [value[step.field]] : [];
  if (!Array.isArray(value)) return [];
  if ("index" in step) return value[step.index] === undefined ? [] : [value[step.index]];
  if ("all" in step) return value;
  const { path, operator, value: wanted } = step.filter;
  return value.filter((item) => {
    const actual = readJsonPath(item, `.${path}`);
    return (String(actual) === wanted) === (operator === "==");
  });
}
