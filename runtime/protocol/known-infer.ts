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
}

/** What looks like an input's flat list of numbers. */
const LIST = /"data"[ \t\r\n]*:[ \t\r\n]*\[([^[\]"{}]*)\]/g;
const NO_BYTES = new Uint8Array();
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
  #known: Known | undefined;
  #wasUseful = true;
  #patience = 0;
  #skipped = 0;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#takesAnyNumber = pipeline.inputs.every(({ type }) => isFloatType(type));
  }

  /** What the body says, if that is known but for its numbers. */
  read(body: Buffer): ReadInfer | undefined {
    const known = this.#known;
    if (known === undefined) return undefined;
    const { around, counts, asked, rows, dims } = known;
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
    if (position !== body.length) return undefined;
    this.#wasUseful = true;
    return { asked, job: { rows, inputs, dims } };
  }

  /** Remembers a body of JSON alone that was read whole. When that turns out to be of no use, ever more of them are let pass. */
  learn(body: Buffer, asked: Asked, { rows, dims, inputs }: Job): void {
    if (!this.#takesAnyNumber) return;
    this.#skipped += 1;
    if (!this.#wasUseful && this.#skipped <= this.#patience) return;
    this.#patience = this.#wasUseful ? 0 : Math.min(2 * this.#patience + 1, MOST_PATIENCE);
    this.#skipped = 0;
    this.#wasUseful = false;
    const around = this.#around(body);
    const counts = mapped(inputs, ({ length }) => length);
    this.#known = around && { around, counts, asked, rows, dims };
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
    const marked = around.map((part, index) => part.toString() + (index < lists.length ? String(index) : "")).join("");
    const sent = readInferBody(JSON.parse(marked), NO_BYTES).inputs;
    const isInOrder = inputs.every(({ name }, index) => {
      const [data] = sent.filter((tensor) => tensor.name === name).map((tensor) => tensor.data);
      return data?.length === 1 && data[0] === index;
    });
    return isInOrder ? around : undefined;
  }
}
