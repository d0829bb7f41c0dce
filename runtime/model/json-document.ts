import type * as z from "zod";

import { LoadError } from "../load-error.ts";
import { readSmallFile } from "./small-file.ts";

const MAX_PROBLEMS = 5;
/** Characters of a wrong value that a message shows. */
const MAX_SHOWN = 60;

interface Document<T extends z.ZodType> {
  readonly file: string;
  /** What the schema makes of a document that is plainly right; undefined when the schema has to judge it. */
  readonly plain: (json: unknown) => z.infer<T> | undefined;
  readonly schema: () => Promise<T>;
  readonly maxBytes: number;
}

/** A JSON file of the model's folder; undefined when there is none. Throws a LoadError that names the wrong fields. */
export async function readDocument<T extends z.ZodType>(
  folder: string,
  { file, plain, schema, maxBytes }: Document<T>,
  source: string,
): Promise<z.infer<T> | undefined> {
  const text = await readSmallFile({ folder, file, maxBytes }, source);
  if (text === undefined) return undefined;
  const invalid = (problem: string, cause?: unknown): LoadError =>
    new LoadError("InvalidModel", `loading ${source}: ${file}${problem}`, { cause });
  const json = parse(text, invalid);
  const read = plain(json);
  if (read !== undefined) return read;
  const parsed = (await schema()).safeParse(json);
  if (parsed.success) return parsed.data;
  throw invalid(`: ${problemsOf(parsed.error.issues, json).join("; ")}`);
}

/** Python writes None as null. */
export function withoutNulls<T extends object>(value: T): { [Key in keyof T]: Exclude<T[Key], null> } {
  const present = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(present) as { [Key in keyof T]: Exclude<T[Key], null> };
}

function parse(text: string, invalid: (problem: string, cause: unknown) => LoadError): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = /\b(NaN|Infinity)\b/.test(text) ? "; JSON has no NaN and no Infinity: write null" : "";
    throw invalid(` is not JSON: ${(cause as Error).message}${hint}`, cause);
  }
}

type Issue = z.core.$ZodIssue;
type Path = Issue["path"];

/** Each as `features[2].type: expected one of …, got "float64"`. */
function problemsOf(issues: readonly Issue[], document: unknown): string[] {
  const problems = issues.flatMap(innermost).map((issue) => {
    const value = valueAt(document, issue.path);
    return `${shownPath(issue.path) || "the document"}: ${value === undefined ? "is missing" : expected(issue, value)}`;
  });
  const more = problems.length - MAX_PROBLEMS;
  return more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `and ${more} more`] : problems;
}

/** Of the forms that a value may have, the one that was meant is the one whose problems lie inside of it. */
function innermost(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const meant = issue.errors.find((problems) => problems.every(({ path }) => path.length > 0));
  if (meant === undefined) return [issue];
  return meant.flatMap((inner) => innermost({ ...inner, path: [...issue.path, ...inner.path] }));
}

function expected(issue: Issue, value: unknown): string {
  if (issue.code === "invalid_union") return `${issue.message}, got ${shown(value)}`;
  if (issue.code === "invalid_type")
    return `expected ${issue.expected === "record" ? "object" : issue.expected}, got ${shown(value)}`;
  if (issue.code !== "invalid_value") return issue.message;
  return `expected one of ${issue.values.map((option) => JSON.stringify(option)).join(", ")}, got ${shown(value)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

const valueAt = (document: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    document,
  );

/** `features[2].type` */
function shownPath(path: Path): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}
