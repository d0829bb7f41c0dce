import { expect } from "chai";
import * as fc from "fast-check";
import { PriorityLanes } from "../../../operator/kube/priority-lanes.ts";
import type { Priority } from "../../../operator/kube/priority-lanes.ts";

const ALWAYS_WITHIN = 33;

function drained(lanes: PriorityLanes): string[] {
  const keys: string[] = [];
  for (let next = lanes.take(); next !== undefined; next = lanes.take()) keys.push(next.key);
  return keys;
}

describe("PriorityLanes", () => {
  const cases: readonly (readonly [string, readonly (readonly [string, Priority])[], readonly string[]])[] = [
    [
      "keeps the order of those of one priority",
      [
        ["b", "low"],
        ["a", "low"],
      ],
      ["b", "a"],
    ],
    [
      "lets a change go before what is new",
      [
        ["new", "low"],
        ["changed", "normal"],
      ],
      ["changed", "new"],
    ],
    [
      "brings a new object forward once it changed",
      [
        ["a", "low"],
        ["b", "low"],
        ["b", "normal"],
      ],
      ["b", "a"],
    ],
    [
      "does not put a changed object back",
      [
        ["a", "normal"],
        ["b", "normal"],
        ["a", "low"],
      ],
      ["a", "b"],
    ],
    [
      "has each key once",
      [
        ["a", "low"],
        ["a", "normal"],
        ["a", "low"],
        ["a", "normal"],
      ],
      ["a"],
    ],
  ];
  for (const [title, added, served] of cases)
    it(title, () => {
      const lanes = new PriorityLanes();
      for (const [key, priority] of added) lanes.add(key, priority, 0);
      expect(drained(lanes)).to.deep.equal(served);
    });

  it("says since when a key waits, also of one that was brought forward", () => {
    const lanes = new PriorityLanes();
    lanes.add("a", "low", 10);
    lanes.add("a", "normal", 20);
    expect(lanes.take()).to.deep.equal({ key: "a", since: 10 });
  });

  it("serves what is new also under an endless stream of changes", () => {
    const lanes = new PriorityLanes();
    lanes.add("new", "low", 0);
    const served: string[] = [];
    for (let change = 0; change < ALWAYS_WITHIN; change += 1) {
      lanes.add(`changed-${change}`, "normal", 0);
      lanes.add(`changed-again-${change}`, "normal", 0);
      served.push(lanes.take()?.key ?? "");
    }
    expect(served).to.include("new");
  });

  it("loses no key, has none twice, and is first come, first served within a priority, whatever the order", () => {
    const step = fc.oneof(
      fc.record({ key: fc.nat(9).map(String), priority: fc.constantFrom<Priority>("normal", "low") }),
      fc.constant("take" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const lanes = new PriorityLanes();
        // The plainest thing that says the same: a list in the order of coming, from which either lane's first is taken.
        let waiting: { key: string; priority: Priority }[] = [];
        for (const each of steps) {
          if (each === "take") {
            const taken = lanes.take()?.key;
            const firsts = (["normal", "low"] as const).map((lane) =>
              waiting.find(({ priority }) => priority === lane),
            );
            expect(firsts.flatMap((first) => first?.key ?? [])).to.satisfy((keys: string[]) =>
              taken === undefined ? keys.length === 0 : keys.includes(taken),
            );
            waiting = waiting.filter(({ key }) => key !== taken);
            continue;
          }
          const before = waiting.find(({ key }) => key === each.key);
          expect(lanes.add(each.key, each.priority, 0)).to.equal(before === undefined);
          const isRaised = before?.priority === "low" && each.priority === "normal";
          if (isRaised) waiting = waiting.filter((other) => other !== before);
          if (isRaised || before === undefined) waiting.push(each);
          expect(lanes.size).to.equal(waiting.length);
        }
        expect(drained(lanes).toSorted()).to.deep.equal(waiting.map(({ key }) => key).toSorted());
      }),
    );
  });
});
