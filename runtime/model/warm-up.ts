import { LoadError } from "../load-error.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Feeds } from "./session.ts";
import { concatenate, elementCount } from "./tensor.ts";
import type { Element, OutputTensor, TensorSpec } from "./tensor.ts";

export interface WarmUp {
  /** What one made-up row gave; undefined when the shapes leave open what a row is. */
  readonly outputs: readonly OutputTensor[] | undefined;
  /** Whether rows of several requests may share a run: every input and output has one entry per row. */
  readonly batchable: boolean;
  /** The rows of every run when the graph fixes them, to more than one; fewer are filled up. */
  readonly fixedRows: number | undefined;
  /** Milliseconds of a warm run of as few rows as possible; undefined when no made-up row could be run. */
  readonly runMs: number | undefined;
}

/**
 * Runs one and two made-up rows, which also allocates what the first request would otherwise wait for.
 * Throws a LoadError when numbers alone make the graph fail; made-up words and sizes may rightly be refused.
 */
export async function warmUp(pipeline: Pipeline, hasPreprocessor: boolean, source: string): Promise<WarmUp> {
  const certain = pipeline.inputs.every(
    ({ type, shape }) => type !== "string" && shape?.slice(1).every((size) => size >= 0),
  );
  let outputs: OutputTensor[];
  try {
    outputs = await pipeline.run(madeUpRows(pipeline.inputs, 1));
  } catch (cause) {
    if (!certain) return { outputs: undefined, batchable: false, fixedRows: undefined, runMs: undefined };
    const message = `loading ${source}: a trial run with zeros fails: ${(cause as Error).message.split("\n", 1).join("")}`;
    throw hasPreprocessor
      ? new LoadError("SignatureMismatch", `${message}; the preprocessor and the model do not fit each other`, {
          cause,
        })
      : new LoadError("InvalidModel", message, { cause });
  }
  const runMs = await shortestRun(pipeline);
  const rows = fixedRows(pipeline);
  if (rows !== undefined) {
    if (isPerRow(outputs, rows)) return { outputs, batchable: true, fixedRows: rows, runMs };
    throw new LoadError(
      "UnsupportedFormat",
      `loading ${source}: the graph takes ${rows} rows at once, but its outputs are not one for each row; export it with a variable batch axis`,
    );
  }
  return { outputs, batchable: isPerRow(outputs, 1) && (await acceptsTwoRows(pipeline)), fixedRows: undefined, runMs };
}

/** In milliseconds; the least of a few, since a busy machine makes short runs look long. */
async function shortestRun(pipeline: Pipeline): Promise<number> {
  const feeds = madeUpRows(pipeline.inputs, 1);
  let shortest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5 && shortest > 0.1; run += 1) {
    const began = performance.now();
    await pipeline.run(feeds);
    shortest = Math.min(shortest, performance.now() - began);
    if (shortest > 100) break;
  }
  return shortest;
}

/** Undefined also for inputs that disagree, as weights or masks passed beside the rows do. */
function fixedRows({ inputs }: Pipeline): number | undefined {
  const rows = inputs[0]?.shape?.[0] ?? -1;
  return rows > 1 && inputs.every(({ shape }) => shape?.[0] === rows) ? rows : undefined;
}

async function acceptsTwoRows(pipeline: Pipeline): Promise<boolean> {
  if (pipeline.inputs.some(({ shape }) => shape !== undefined && shape[0] !== -1)) return false;
  return pipeline.run(madeUpRows(pipeline.inputs, 2)).then(
    (outputs) => isPerRow(outputs, 2),
    () => false,
  );
}

const isPerRow = (outputs: readonly OutputTensor[], rows: number): boolean =>
  outputs.every(({ dims }) => dims[0] === rows);

function madeUpRows(inputs: readonly TensorSpec[], rows: number): Feeds {
  return Object.fromEntries(
    inputs.map(({ name, type, shape }) => {
      const dims = (shape ?? [-1]).map((size, axis) => (size >= 0 ? size : axis === 0 ? rows : 1));
      const zero: Element = type === "string" ? "" : 0;
      return [name, concatenate(type, dims, [Array<Element>(elementCount(dims)).fill(zero)])];
    }),
  );
}
