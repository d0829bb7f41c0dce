import type { Feature } from "./features.ts";
import type { Golden } from "./golden-schema.ts";

/** A row to show people: the one in the middle of golden.json, else zeros and empty texts. */
export function exampleRow(golden: Golden | undefined, features: readonly Feature[]): Record<string, unknown> {
  const rows = golden?.rows ?? [];
  const known = rows[Math.floor(rows.length / 2)]?.input;
  const made = { number: 0, integer: 0, string: "", boolean: false };
  return Object.fromEntries(features.map(({ name, type }) => [name, known?.[name] ?? made[type]]));
}
