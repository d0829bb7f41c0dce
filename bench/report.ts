export type Goal = { readonly atLeast: number } | { readonly atMost: number; readonly unit?: string };

/** One line of a benchmark's outcome. */
export interface Result {
  readonly name: string;
  /** Null when it could not be measured. */
  readonly value: number | null;
  readonly goal: string;
  readonly ok: boolean;
  readonly error?: string;
}

export const isReached = (value: number, goal: Goal): boolean =>
  "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;

export const goalText = (goal: Goal): string =>
  "atLeast" in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}${goal.unit === undefined ? "" : ` ${goal.unit}`}`;

export const shown = ({ name, value, goal, ok, error }: Result): string =>
  `${ok ? "✓" : "✗"} ${name}: ${value === null ? `not measured: ${error}` : value.toPrecision(3)} (${goal})`;
