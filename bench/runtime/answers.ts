import type { Target } from "./load/http.ts";

const TOLERANCE = 1e-5;

type Outputs = Readonly<Record<string, readonly number[]>>;

/** Throws unless both answer v2 infer with the same numbers. Speed only counts for the same work. */
export async function requireSameOutputs(first: Target, second: Target): Promise<void> {
  const [ours, theirs] = await Promise.all([outputsOf(first), outputsOf(second)]);
  requireSame(ours, theirs);
}

/** The same of what gRPC or anything else answered. Outputs that only one of them has do not count. */
export function requireSame(ours: Outputs, theirs: Outputs): void {
  const shared = Object.keys(ours).filter((name) => name in theirs);
  if (shared.length === 0) throw new Error("the servers share no output");
  for (const name of shared) {
    const [values, others] = [ours[name] ?? [], theirs[name] ?? []];
    const isSame =
      values.length === others.length && values.every((value, at) => Math.abs(value - (others[at] ?? 0)) < TOLERANCE);
    if (!isSame) throw new Error(`the servers differ in ${name}: ${values.join()} and ${others.join()}`);
  }
}

/** Throws unless both answer /predict with the same label and the same probability. */
export async function requireSamePredictions(first: Target, second: Target): Promise<void> {
  const [ours, theirs] = (await Promise.all([first, second].map(answerOf))) as [Prediction, Prediction];
  const isSame = ours.prediction === theirs.prediction && Math.abs(ours.probability - theirs.probability) < TOLERANCE;
  if (!isSame) throw new Error(`the servers differ: ${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`);
}

interface Prediction {
  readonly prediction: string;
  readonly probability: number;
}

async function outputsOf(target: Target): Promise<Outputs> {
  const { outputs } = (await answerOf(target)) as { outputs: { name: string; data: number[] }[] };
  return Object.fromEntries(outputs.map(({ name, data }) => [name, data]));
}

async function answerOf({ port, path, body, headers }: Target): Promise<unknown> {
  const url = `http://127.0.0.1:${port}${path}`;
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}
