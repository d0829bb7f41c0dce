import type { Job } from "../batching/micro-batcher.ts";
import { isAt } from "../bytes-at.ts";
import { mapped } from "../mapped.ts";
import type { Pipeline } from "../model/pipeline.ts";
import { isFloatType } from "../model/tensor.ts";
import type { InferBody } from "./infer-body.ts";
import { readInferBody } from "./infer-body.ts";
import { readNumbers } from "./json-numbers.ts";

/** What a v2 request asks for, but for its rows. */
export type Asked = Omit<InferBody, "inputs">;

export interface ReadInfer {
  readonly asked: Asked;
  readonly job: Job;
}

interface Known {
  /** The bytes around the lists of numbers, each up to and from a list's brackets: one more than there are lists. */
  readonly around: readonly Buffer[];
  /** How many numbers each list has. */
  readonly counts: readonly number[];
  readonly asked: Asked;
  readonly rows: number;
  readonly dims: Job["dims"];
  /** Whether another request was like it. */
  isUseful: boolean;
}

/** What looks like an input's flat list of numbers. */
const LIST = /"data"[ \t\r\n]*:[ \t\r\n]*\[([^[\]"{}]*)\]/g;
const NO_BYTES = new Uint8Array();
/** More around the numbers is not worth the memory. */
const MOST_BYTES = 16_384;
/** So many kinds of requests are known at a time. */
const MOST_KNOWN = 4;
/** So many requests at most are read whole before the next one is learnt. */
const MOST_PATIENCE = 1024;

/**
 * Clients send the same document again and again, with other numbers. All that was found out about it, by JSON.parse and every
 * check, holds for the next one whose bytes around the numbers are the same: of that one only the numbers are read.
 */
export class KnownInfer {
  readonly #pipeline: Pipeline;
  /** Of other types, not every number is one. */
  readonly #takesAnyNumber: boolean;
  /** The latest first. */
  #known: readonly Known[] = [];
  /** Undefined when nothing could be learnt of the request. */
  #latest: Known | undefined;
  #patience = 0;
  #skipped = 0;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#takesAnyNumber = pipeline.inputs.every(({ type }) => isFloatType(type));
  }

  /** What the body says, if that is known but for its numbers. */
  read(body: Buffer): ReadInfer | undefined {
    for (let index = 0; index < this.#known.length; index += 1) {
      const known = this.#known[index] as Known;
      const inputs = readAround(body, known);
      if (inputs === undefined) continue;
      known.isUseful = true;
      return { asked: known.asked, job: { rows: known.rows, inputs, dims: known.dims } };
    }
    return undefined;
  }

  /**
   * Remembers a body of JSON alone that was read whole, and forgets what was of no use. While that is so of the latest, ever
   * more of them are let pass before the next one is remembered.
   */
  learn(body: Buffer, asked: Asked, { rows, dims, inputs }: Job): void {
    if (!this.#takesAnyNumber) return;
    const wasUseful = this.#latest?.isUseful ?? false;
    this.#skipped += 1;
    if (!wasUseful && this.#skipped <= this.#patience) return;
    // Were it always odd, then of two clients that take turns the same one would always be let pass.
    this.#patience = wasUseful ? 0 : Math.min(Math.max(2 * this.#patience, 1), MOST_PATIENCE);
    this.#skipped = 0;
    const around = this.#around(body);
    const counts = mapped(inputs, ({ length }) => length);
    this.#latest = around && { around, counts, asked, rows, dims, isUseful: false };
    const useful = this.#known.filter(({ isUseful }) => isUseful);
    this.#known = (this.#latest ? [this.#latest, ...useful] : useful).slice(0, MOST_KNOWN);
  }

  /**
   * The parts of the body around its lists of numbers. Undefined unless there is one list for each input, in their order: to
   * see whose list is whose, the document is read once more with the lists' positions in place of their numbers.
   */
  #around(body: Buffer): Buffer[] | undefined {
    const text = body.toString("latin1"); // positions in it are those of the bytes
    const lists = [...text.matchAll(LIST)].map(({ index, 0: all, 1: numbers = "" }) => {
      const end = index + all.length - 1;
      return { start: end - numbers.length, end };
    });
    const { inputs } = this.#pipeline;
    if (lists.length !== inputs.length) return undefined;
    const starts = [0, ...lists.map(({ end }) => end)];
    const ends = [...lists.map(({ start }) => start), text.length];
    const around = starts.map((start, index) => Buffer.from(body.subarray(start, ends[index])));
    if (around.reduce((bytes, part) => bytes + part.length, 0) > MOST_BYTES) return undefined;
    const marked = around.map((part, index) => part.toString() + (index < lists.length ? String(index) : "")).join("");
    const sent = readInferBody(JSON.parse(marked), NO_BYTES).inputs;
    const isInOrder = inputs.every(({ name }, index) => {
      const data = sent.find((tensor) => tensor.name === name)?.data;
      return data?.length === 1 && data[0] === index;
    });
    return isInOrder ? around : undefined;
  }
}

/** The lists of numbers of a body that is otherwise known; undefined for any other. */
function readAround(body: Buffer, { around, counts }: Known): number[][] | undefined {
  const inputs: number[][] = [];
  let position = 0;
  for (let index = 0; index < around.length; index += 1) {
    const part = around[index] as Buffer;
    if (!isAt(body, position, part)) return undefined;
    position += part.length;
    if (index === counts.length) break;
    const values: number[] = [];
    position = readNumbers(body, position, counts[index] as number, values);
    if (position < 0) return undefined;
    inputs.push(values);
  }
  return position === body.length ? inputs : undefined;
}
