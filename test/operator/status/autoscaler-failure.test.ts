import { expect } from "chai";
import { autoscalerCountsIn, autoscalerFailure } from "../../../operator/status/autoscaler-failure.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const condition = (type: string, status: string, secondsAgo: number, reason = "FailedGetResourceMetric") => ({
  type,
  status,
  reason,
  message: "no metrics API",
  lastTransitionTime: new Date(NOW - secondsAgo * 1000),
});
const able = condition("AbleToScale", "True", 300, "SucceededGetScale");
const said = "the HPA does not scale: FailedGetResourceMetric: no metrics API";

describe("why an HPA does not scale", () => {
  for (const [title, conditions, message] of [
    ["nothing before it has looked", [], undefined],
    ["nothing while it scales", [able, condition("ScalingActive", "True", 300, "ValidMetricFound")], undefined],
    ["nothing at its maximum", [able, condition("ScalingLimited", "True", 300, "TooManyReplicas")], undefined],
    ["nothing of pods scaled to none", [able, condition("ScalingActive", "False", 300, "ScalingDisabled")], undefined],
    ["nothing in the first minute", [able, condition("ScalingActive", "False", 59)], undefined],
    ["its reason and words after that", [able, condition("ScalingActive", "False", 60)], said],
    ["that it finds nothing to scale", [condition("AbleToScale", "False", 60)], said],
  ] as const)
    it(`is ${title}`, () => {
      expect(autoscalerFailure(conditions, undefined, NOW)?.message).to.equal(message);
    });

  it("stays in the same words while the reason is the same", () => {
    const conditions = [{ ...condition("ScalingActive", "False", 90), message: "no metrics API (attempt 7)" }];
    expect(autoscalerFailure(conditions, said, NOW)?.message).to.equal(said);
    expect(autoscalerFailure(conditions, "the model is loading", NOW)?.message).to.match(/attempt 7/);
    expect(autoscalerFailure([condition("ScalingActive", "False", 90, "Other")], said, NOW)?.message).to.match(/Other/);
  });

  it("counts so much later", () => {
    expect(autoscalerCountsIn([able, condition("ScalingActive", "False", 45)], NOW)).to.equal(15_000);
    expect(autoscalerCountsIn([able, condition("ScalingActive", "False", 60)], NOW)).to.equal(undefined);
    expect(autoscalerCountsIn([able], NOW)).to.equal(undefined);
  });
});
