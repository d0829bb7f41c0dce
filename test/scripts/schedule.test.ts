import { expect } from "chai";
import { schedule } from "../../scripts/testing/schedule.ts";

describe("The schedule of test files", () => {
  it("lets unit tests of one folder share a process, and gives a process of its own to each of those that start others", () => {
    const files = [
      "test/integration/traffic/a.test.ts",
      "test/integration/traffic/b.test.ts",
      "test/operator/kube/a.test.ts",
      "test/operator/kube/b.test.ts",
      "test/operator/plan/a.test.ts",
      "test/runtime/drain.test.ts",
      "test/runtime/model/a.test.ts",
      "test/runtime/models.test.ts",
    ];
    expect(schedule(files)).to.have.deep.members([
      ["test/integration/traffic/a.test.ts"],
      ["test/integration/traffic/b.test.ts"],
      ["test/operator/kube/a.test.ts", "test/operator/kube/b.test.ts"],
      ["test/operator/plan/a.test.ts"],
      ["test/runtime/drain.test.ts"],
      ["test/runtime/model/a.test.ts"],
      ["test/runtime/models.test.ts"],
    ]);
  });

  it("begins with what takes longest, and else keeps the order", () => {
    const files = ["test/charts/a.test.ts", "test/examples/a.test.ts", "test/integration/traffic/a.test.ts"];
    expect(schedule(files).flat()).to.deep.equal([files[2], files[0], files[1]]);
  });
});
