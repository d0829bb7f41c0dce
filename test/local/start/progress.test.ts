import { expect } from "chai";
import { ProgressDisplay } from "../../../local/start/progress-display.ts";
import type { ModelDeployment } from "../../../local/start/model-deployment.ts";
import { modelLines, outcomeOf } from "../../../local/start/progress.ts";

const metadata = { name: "loan", uid: "1", resourceVersion: "1", generation: 2 };
const condition = (type: string, status: string) => ({ type, status, reason: "Why", message: "because" });
const model = (status: ModelDeployment["status"]): ModelDeployment => ({
  metadata,
  status: { observedGeneration: 2, ...status },
});

describe("how a model comes up", () => {
  for (const [title, given, expected] of [
    ["waits while there is no status", { metadata }, { is: "waiting" }],
    ["is ready when its Ready is True", model({ conditions: [condition("Ready", "True")] }), { is: "ready" }],
    [
      "waits while the status is of an older generation",
      model({ observedGeneration: 1, conditions: [condition("Ready", "True")] }),
      { is: "waiting" },
    ],
    [
      "has failed when it is stalled",
      model({ conditions: [condition("Stalled", "True")] }),
      { is: "failed", why: "Why: because" },
    ],
    [
      "has failed when a revision cannot load",
      model({
        revisions: [
          { revision: "v1-a", version: "v1", state: "Failed", reason: "InvalidModel", message: "no protobuf" },
        ],
      }),
      { is: "failed", why: "InvalidModel: no protobuf" },
    ],
  ] as const)
    it(title, () => expect(outcomeOf(given)).to.deep.equal(expected));

  it("of one version has not failed when another's revision cannot load", () => {
    const failed = { revision: "v2-a", version: "v2", state: "Failed", reason: "InvalidModel", message: "no protobuf" };
    const both = model({ conditions: [condition("Ready", "True")], revisions: [failed] });
    expect(outcomeOf(both, "v1")).to.deep.equal({ is: "ready" });
    expect(outcomeOf(both, "v2")).to.deep.equal({ is: "failed", why: "InvalidModel: no protobuf" });
  });
});

describe("the line of a model", () => {
  const ready = { ...condition("Ready", "Unknown"), message: "waits for pods" };

  it("says what its Ready condition says", () =>
    expect(modelLines("loan", model({ conditions: [ready] }), [])).to.deep.equal([
      { mark: "waiting", name: "ModelDeployment loan", detail: "waits for pods" },
    ]));

  it("does not repeat what was so before the operator looked", () =>
    expect(modelLines("loan", model({ observedGeneration: 0, conditions: [ready] }), [])).to.deep.equal([
      { mark: "waiting", name: "ModelDeployment loan", detail: "waiting for the operator" },
    ]));
});

describe("the progress display", () => {
  const written: string[] = [];
  const write = (text: string | Uint8Array): boolean => written.push(String(text)) > 0;
  beforeEach(() => written.splice(0));
  const line = (name: string, detail: string) => ({ mark: "waiting", name, detail }) as const;

  it("adds one line per change where it cannot take anything back", () => {
    const display = new ProgressDisplay({ write });
    display.show([line("a", "1"), line("b", "1")]);
    display.show([line("a", "1"), line("b", "2")]);
    expect(written).to.deep.equal(["  … a  1\n", "  … b  1\n", "  … b  2\n"]);
  });

  it("draws over itself on a terminal, within its size", () => {
    const display = new ProgressDisplay({ write, isTTY: true, columns: 10, rows: 4 });
    display.show([line("a", "a long detail"), line("b", "1"), line("c", "1")]);
    display.show([line("a", "2")]);
    expect(written).to.deep.equal(["\r\u001b[J  … a  a \n  … b  1\n", "\u001b[2A\r\u001b[J  … a  2\n"]);
  });
});
