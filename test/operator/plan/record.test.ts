import { expect } from "chai";
import { newestRecord } from "../../../operator/plan/record.ts";
import type { RolloutRecord } from "../../../operator/plan/record.ts";
import { canonicalJson } from "../../../operator/plan/revision.ts";

const record = (fields: Partial<RolloutRecord> = {}): RolloutRecord => ({
  sequence: 7,
  stage: "Completed",
  base: { via: "Service", split: [{ revision: "v1-aaaaaaaa", buckets: 10_000 }] },
  from: { via: "Service", split: [{ revision: "v1-aaaaaaaa", buckets: 10_000 }] },
  to: { via: "Service", split: [{ revision: "v1-aaaaaaaa", buckets: 10_000 }] },
  step: 0,
  stepStarted: "2026-01-01T00:00:00.000Z",
  pausedFor: 0,
  failed: [],
  nonces: {},
  revisions: { "v1-aaaaaaaa": { version: "v1", image: "runtime:1", source: { uri: "s3://m/a/" }, serving: {} } },
  draining: {},
  ...fields,
});

describe("newestRecord", () => {
  it("reads back what the front Service's annotation keeps, empty parts too", () => {
    const written = record();
    expect(newestRecord([JSON.parse(canonicalJson(written))])).to.deep.equal(written);
  });

  it("takes the higher sequence, whichever copy has it", () => {
    const older = record({ sequence: 7 });
    const newer = record({ sequence: 8 });
    expect(newestRecord([older, newer])?.sequence).to.equal(8);
    expect(newestRecord([newer, older])?.sequence).to.equal(8);
  });

  for (const [title, broken] of [
    ["is missing", undefined],
    ["is no record", { sequence: 9 }],
    ["has a stage of another operator", { ...record({ sequence: 9 }), stage: "Paused" }],
    [
      "has a split that is not whole",
      { ...record({ sequence: 9 }), to: { via: "Router", split: [{ revision: "v1", buckets: 9_999 }] } },
    ],
    ["has an instant that is none", { ...record({ sequence: 9 }), stepStarted: "yesterday" }],
  ] as const)
    it(`falls back to the other copy when one ${title}`, () => {
      expect(newestRecord([broken, record()])?.sequence).to.equal(7);
      expect(newestRecord([broken])).to.equal(undefined);
    });
});
