import { readFile } from "node:fs/promises";
import { join } from "node:path";

import * as z from "zod";

import type { Feature } from "./features.ts";

const GOLDEN = z.looseObject({ rows: z.array(z.looseObject({ input: z.record(z.string(), z.unknown()) })).min(1) });

/** Far above any golden.json by hand or by script; a larger one is no place to look for an example. */
const MAX_BYTES = 4 * 1024 ** 2;

/** A row to show people: the one in the middle of the folder's golden.json, else zeros and empty texts. */
export async function exampleRow(
  folder: string | undefined,
  features: readonly Feature[],
): Promise<Record<string, unknown>> {
  const known = folder === undefined ? undefined : await goldenRow(folder);
  const made = { number: 0, integer: 0, string: "", boolean: false };
  return Object.fromEntries(features.map(({ name, type }) => [name, known?.[name] ?? made[type]]));
}

/** Undefined when there is no golden.json of the form that we know: nothing depends on it. */
async function goldenRow(folder: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(join(folder, "golden.json"), "utf8").catch(() => undefined);
  if (text === undefined || text.length > MAX_BYTES) return undefined;
  try {
    const { rows } = GOLDEN.parse(JSON.parse(text));
    return rows[Math.floor(rows.length / 2)]?.input;
  } catch {
    return undefined;
  }
}
