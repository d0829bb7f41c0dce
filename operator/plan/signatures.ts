import type { ValidModelDeployment } from "../api/parse.ts";
import { sharesOf } from "../traffic/intervals.ts";
import type { Feature, Observed } from "./observed.ts";
import type { RolloutRecord } from "./record.ts";

/** A revision that would refuse requests that are answered now. */
export interface SignatureMismatch {
  readonly revision: string;
  /** Both sides and the feature, and what to do. */
  readonly message: string;
}

/**
 * Users know nothing of versions: whoever takes a share of them has to take the rows that they send to what serves now.
 * Of a first deployment that is the version with the largest share. Servers that do not say what they take are believed
 * to take it. Pending: pods are ready and have not been asked yet.
 */
export function checkSignatures(
  { spec }: ValidModelDeployment,
  record: RolloutRecord,
  { loaded, revisions }: Observed,
): "Pending" | readonly SignatureMismatch[] {
  const isChecked = record.stage === "Preparing" || record.base.split.length === 0;
  if (loaded === undefined || !isChecked || spec.rollout?.checks?.signature === "Ignore") return [];
  const serving = servingRevisions(record);
  const newcomers = [...sharesOf(record.to.split).keys()].filter((id) => !serving.includes(id));
  if (newcomers.length === 0) return [];
  const isAsked = (id: string): boolean => loaded.has(id) || (revisions.get(id)?.ready ?? 0) === 0;
  if (![...serving, ...newcomers].every(isAsked)) return "Pending";
  return newcomers.flatMap((id) => {
    const problems = serving.flatMap((other) => {
      const problem = refusal(loaded.get(other)?.features ?? [], loaded.get(id)?.features ?? []);
      return problem === undefined ? [] : [`${problem[0]}, ${other} ${problem[1]}`];
    });
    return problems.length === 0 ? [] : [{ revision: id, message: `${problems.join("; ")}. ${ADVICE}` }];
  });
}

const ADVICE =
  "Requests that are answered now would be refused: make a model that takes them, or set spec.rollout.checks.signature to Ignore once clients send what this one needs";

function servingRevisions({ base, from, to }: RolloutRecord): string[] {
  if (base.split.length > 0) return [...sharesOf(from.split).keys()];
  const [largest] = [...sharesOf(to.split)].toSorted(([, a], [, b]) => b - a);
  return largest === undefined ? [] : [largest[0]];
}

/** What of a row that `serving` takes `other` refuses: what this one asks for, and what that one does. */
function refusal(serving: readonly Feature[], other: readonly Feature[]): readonly [string, string] | undefined {
  if (serving.length === 0) return undefined; // it does not say
  const known = new Map(serving.map((feature) => [feature.name, feature]));
  for (const { name, type, nullable } of other) {
    const before = known.get(name);
    const what = `the feature "${name}"`;
    if (before === undefined) {
      if (!nullable) return [`needs ${what} (${type})`, "does not know it"];
      continue;
    }
    if (before.nullable && !nullable) return [`takes no row without ${what}`, "does"];
    const isWider = before.type === "integer" && type === "number";
    if (before.type !== type && !isWider) return [`takes ${what} as ${type}`, `as ${before.type}`];
  }
  return undefined;
}
