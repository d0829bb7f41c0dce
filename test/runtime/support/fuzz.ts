import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { expect } from "chai";
import * as fc from "fast-check";

import { waitFor } from "./wait-for.ts";

/** In all, of each fuzz suite; the long form is FUZZ_CASES=100000. */
export const CASES = Number(process.env["FUZZ_CASES"] ?? 2000);

/** Lets `test` meet its `share` of all cases. */
export async function check<T>(
  arbitrary: fc.Arbitrary<T>,
  share: number,
  test: (value: T) => Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, test), { numRuns: Math.ceil(CASES * share) });
}

/** Far more than what engine and allocator move by; less than what 2,000 small leaks, or 100,000 tiny ones, make. */
const TOLERATED_BYTES = 32 * 1024 ** 2;
const TOLERATED_SOCKETS = 20;
const COLLECTIONS = 50;

/** What a process holds on to, now and later. */
export class Holdings {
  readonly #bytes = bytesHeld();
  readonly #sockets = socketsHeld();

  /** Waits until sockets are closed that were opened since, and buffers given back, which takes the engine some turns. */
  async expectNoMore(): Promise<void> {
    await waitFor(() => Promise.resolve(socketsHeld() <= this.#sockets + TOLERATED_SOCKETS));
    let more = bytesHeld() - this.#bytes;
    for (let turn = 0; turn < COLLECTIONS && more > TOLERATED_BYTES; turn += 1) {
      await new Promise(setImmediate);
      more = bytesHeld() - this.#bytes;
    }
    expect(more, "bytes that were not given back").to.be.below(TOLERATED_BYTES);
  }
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function bytesHeld(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function socketsHeld(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCPSocket")).length;
}
