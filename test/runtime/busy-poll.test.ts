import { expect } from "chai";
import * as fc from "fast-check";

import { BusyPoll } from "../../runtime/busy-poll.ts";
import { InFlight } from "../../runtime/in-flight.ts";

const LONGEST = 200;
const SHORT = 50;
const LONG = 1000;
/** How long a turn of the loop takes in which nothing happens. */
const TURN = 10;

/** An event loop with a clock of its own. It sleeps until the next request unless it was asked for another turn. */
class Loop {
  readonly #inFlight: InFlight;
  #now = 0;
  #next: (() => void) | undefined;

  constructor(longestMs = LONGEST) {
    const nextTurn = (poll: () => void): void => {
      expect(this.#next, "two polls in one turn").to.equal(undefined);
      this.#next = poll;
    };
    this.#inFlight = new InFlight(10, new BusyPoll({ longestMs, now: () => this.#now, nextTurn }));
  }

  /** Answers a request, or more at a time, that come `pause` after the answer before. How long the loop was awake meanwhile. */
  requests(pause: number, count = 1): number {
    const end = this.#now + pause;
    const began = this.#now;
    while (this.#next !== undefined && this.#now + TURN <= end) {
      this.#now += TURN;
      this.#turn();
    }
    const awake = this.#now - began;
    this.#now = end;
    for (let request = 0; request < count; request += 1) this.#inFlight.enter(end);
    this.#turn(); // the one in which they were read
    for (let request = 0; request < count; request += 1) this.#inFlight.leave();
    return awake;
  }

  #turn(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }
}

const requests = (loop: Loop, pauses: readonly number[]): number[] => pauses.map((pause) => loop.requests(pause));
const times = (count: number, pause: number): number[] => Array<number>(count).fill(pause);

const pausesInRows = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.constantFrom(SHORT, LONGEST - TURN, LONGEST, LONG)))
  .map((rows) => rows.flatMap(([count, pause]) => times(count, pause)));

describe("BusyPoll", () => {
  it("looks for the next request once eight in a row came soon after the answer before", () => {
    expect(requests(new Loop(), [LONG, ...times(10, SHORT)])).to.deep.equal([0, ...times(8, 0), SHORT, SHORT]);
  });

  it("gives up after the longest time, and then sleeps until eight in a row came soon again", () => {
    const loop = new Loop();
    requests(loop, [LONG, ...times(8, SHORT)]);
    expect(requests(loop, [LONG, ...times(9, SHORT)])).to.deep.equal([LONGEST, ...times(8, 0), SHORT]);
  });

  it("sleeps when requests come two at a time, so that they gather, until eight came alone again", () => {
    const loop = new Loop();
    requests(loop, [LONG, ...times(8, SHORT)]);
    expect(loop.requests(SHORT, 2)).to.equal(SHORT);
    expect(requests(loop, times(9, SHORT))).to.deep.equal([...times(8, 0), SHORT]);
  });

  it("never looks when told so, or when the process had nothing to do", () => {
    expect(requests(new Loop(0), times(20, 0))).to.deep.equal(times(20, 0));
    expect(requests(new Loop(), times(20, LONGEST))).to.deep.equal(times(20, 0));
  });

  it("looks in vain once in nine pauses at most, and never longer than allowed, however requests come", () =>
    fc.assert(
      fc.property(pausesInRows, (pauses) => {
        const awake = requests(new Loop(), pauses);
        const vain = awake.filter((time, index) => time > 0 && (pauses[index] as number) >= LONGEST);
        expect(vain.length).to.be.at.most(pauses.length / 9);
        expect(Math.max(0, ...awake)).to.be.at.most(LONGEST);
      }),
    ));
});
