import { expect } from "chai";
import * as fc from "fast-check";

import { readNumbers } from "../../../runtime/protocol/json-numbers.ts";

/** The numbers of a list's text, when all of it is as announced. */
function read(list: string, count: number): number[] | undefined {
  const bytes = Buffer.from(`${list}]`);
  const values: number[] = [];
  return readNumbers(bytes, 0, count, values) === list.length ? values : undefined;
}

/** What JSON.parse makes of a list, when it is one of `count` numbers. */
function parsed(list: string, count: number): number[] | undefined {
  try {
    const values = JSON.parse(`[${list}]`) as unknown[];
    const isRight = values.length === count && values.every((value) => typeof value === "number");
    return isRight ? values : undefined;
  } catch {
    return undefined;
  }
}

/** Also tells -0 from 0. */
function expectSame(list: string, count: number): void {
  const [ours, theirs] = [read(list, count), parsed(list, count)];
  const isSame =
    ours?.length === theirs?.length && (ours ?? []).every((value, index) => Object.is(value, theirs?.[index]));
  expect(isSame, `${list}: ${ours?.join()} rather than ${theirs?.join()}`).to.equal(true);
}

const digits = fc.string({ unit: fc.constantFrom(...Array.from("0123456789")), minLength: 1, maxLength: 25 });
/** Numbers as they may be written, of any length. */
const written = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.oneof(
      fc.constant("0"),
      fc.integer({ min: 1, max: 9 }).chain((first) => digits.map((rest) => `${first}${rest}`)),
    ),
    fc.option(digits),
    fc.option(fc.tuple(fc.constantFrom("e", "E"), fc.constantFrom("", "+", "-"), fc.integer({ min: 0, max: 400 }))),
  )
  .map(
    ([sign, whole, decimals, exponent]) => sign + whole + (decimals ? `.${decimals}` : "") + (exponent ?? []).join(""),
  );
const space = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 2 });

describe("The numbers of a JSON list", () => {
  it("are to the last bit what JSON.parse makes of them, however they are written", () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(space, written, space), { minLength: 1, maxLength: 20 }), (numbers) => {
        expectSame(numbers.map((parts) => parts.join("")).join(), numbers.length);
      }),
      { numRuns: 2000 },
    ));

  it("are those of every double that a program writes", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.double({ noNaN: true, noDefaultInfinity: true }),
            fc.float({ noNaN: true, noDefaultInfinity: true }),
            fc.integer(),
          ),
          { minLength: 1 },
        ),
        (numbers) => {
          expectSame(JSON.stringify(numbers).slice(1, -1), numbers.length);
        },
      ),
      { numRuns: 2000 },
    ));

  it("are none where JSON.parse sees none, or more or fewer than announced", () =>
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from("0019.-+eE, \t,]n")), maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        expectSame,
      ),
      { numRuns: 20_000 },
    ));

  for (const list of [
    "",
    "01",
    "-",
    "1.",
    ".5",
    "+1",
    "1e",
    "1e+",
    "0x1",
    "1_0",
    "NaN",
    "null",
    "true",
    '"1"',
    "1 2",
    "1,",
    ",1",
    "[1]",
  ]) {
    it(`are not ${list || "nothing"}`, () => {
      for (const count of [1, 2]) expect(read(list, count)).to.equal(undefined);
    });
  }
});
