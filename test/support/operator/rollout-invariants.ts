import { expect } from "chai";
import { movedBuckets, sharesOf } from "../../../operator/traffic/intervals.ts";
import type { Split } from "../../../operator/traffic/intervals.ts";
import type { Plan } from "../../../operator/plan/plan-rollout.ts";
import type { RolloutRecord } from "../../../operator/plan/record.ts";
import { canonicalJson } from "../../../operator/plan/revision.ts";
import { SETTINGS, writtenSplit } from "./simulated-cluster.ts";
import type { Pass, SimulatedRouter } from "./simulated-cluster.ts";

/** What must hold after every pass of the operator, whatever happened before; it remembers who had a share when. */
export class RolloutInvariants {
  readonly #lastShare = new Map<string, number>();

  /** @throws AssertionError that names the broken invariant */
  check(pass: Pass): void {
    sequenceRisesWithEveryChange(pass);
    floorsStayWithinTheirBounds(pass.plan);
    sharesAreWhole(pass.plan);
    if (!hasCompletedOnce(pass.plan.record)) return;
    onlyThoseWhoMustMove(pass.plan.record);
    readyRoutersKnowWhatTheRoutesName(pass);
    capacityBeforeWeight(pass);
    theFrontHasABackend(pass);
    this.#nothingThatHasAShareGoes(pass);
    this.#podsStayForTheDelay(pass);
  }

  #nothingThatHasAShareGoes({ plan, routers }: Pass): void {
    const kept = new Set(plan.revisions.map(({ id }) => id));
    for (const [id, by] of takers(plan, routers))
      expect(kept.has(id), `${id} goes although ${by} still sends requests to it`).to.equal(true);
  }

  #podsStayForTheDelay({ plan, routers, now }: Pass): void {
    const kept = new Set(plan.revisions.map(({ id }) => id));
    for (const id of takers(plan, routers).keys()) this.#lastShare.set(id, now);
    for (const [id, last] of this.#lastShare) {
      if (kept.has(id)) continue;
      expect(now - last, `milliseconds that ${id} kept its pods after its last share`).to.be.at.least(
        SETTINGS.scaleDownDelayMs,
      );
      this.#lastShare.delete(id);
    }
  }
}

function hasCompletedOnce({ base }: RolloutRecord): boolean {
  return base.split.length > 0;
}

/** Who gets requests now, by whom: the front Service's own choice, or what each ready router applies. */
function takers({ front }: Plan, routers: readonly SimulatedRouter[]): Map<string, string> {
  if (front.via === "Service") return new Map([[front.revision, "the front Service"]]);
  return new Map(
    routers
      .filter(({ ready }) => ready)
      .flatMap(({ pod, routes }) => (routes?.split ?? []).map(({ revision }) => [revision, pod] as const)),
  );
}

function sequenceRisesWithEveryChange({ plan, recordBefore }: Pass): void {
  if (recordBefore === undefined || canonicalJson(recordBefore) === canonicalJson(plan.record)) return;
  expect(plan.record.sequence, "sequence of a changed record").to.be.greaterThan(recordBefore.sequence);
}

function floorsStayWithinTheirBounds({ revisions, record }: Plan): void {
  for (const { id, floor, serving } of revisions) {
    const { minReplicas = 1, maxReplicas } = serving.autoscaling ?? { maxReplicas: floor };
    expect(floor, `floor of ${id}`).to.be.within(Math.min(minReplicas, floor === 0 ? 1 : minReplicas), maxReplicas);
    if (serving.autoscaling && record.stage === "Completed")
      expect(floor, `floor of ${id} once nothing changes`).to.equal(minReplicas);
  }
}

function sharesAreWhole({ revisions, router }: Plan): void {
  const applied = revisions.reduce((sum, { appliedWeight }) => sum + appliedWeight, 0);
  expect(applied, "sum of the applied weights").to.be.closeTo(100, 1e-9);
  if (router !== undefined) {
    const buckets = writtenSplit(router.routes.text).reduce((sum, interval) => sum + interval.buckets, 0);
    expect(buckets, "sum of the written buckets").to.equal(10_000);
  }
}

/** Of revisions as few users move as the shares ask for, and of versions too: a new revision takes its version's users. */
function onlyThoseWhoMustMove({ base, to, revisions }: RolloutRecord): void {
  const byVersion = (split: Split): Split =>
    split.map(({ revision, buckets }) => ({ revision: revisions[revision]?.version ?? revision, buckets }));
  for (const [what, before, after] of [
    ["revisions", base.split, to.split],
    ["versions", byVersion(base.split), byVersion(to.split)],
  ] as const) {
    const target = sharesOf(after);
    const given = [...sharesOf(before)].reduce(
      (sum, [id, share]) => sum + Math.max(0, share - (target.get(id) ?? 0)),
      0,
    );
    expect(movedBuckets(before, after), `buckets that change ${what}`).to.equal(Math.round(given * 100));
  }
}

function readyRoutersKnowWhatTheRoutesName({ plan, routers }: Pass): void {
  if (plan.router === undefined || plan.front.via !== "Router") return;
  const named = new Set(writtenSplit(plan.router.routes.text).map(({ revision }) => revision));
  for (const { pod, ready, clusters } of routers) {
    const unknown = ready ? [...named].filter((id) => !clusters?.names.has(id)) : [];
    expect(unknown, `clusters that the routes name and ${pod} does not know`).to.deep.equal([]);
  }
}

/**
 * A revision whose share grows has the ready pods for it when that is decided: that share of those that served before,
 * or all that it may have. An abandoned change gives its share back to the base at once, whatever the base's pods are.
 */
function capacityBeforeWeight({ plan, recordBefore, readyPods }: Pass): void {
  if (recordBefore === undefined) return;
  const isReturn = recordBefore.stage === "Shifting" && plan.record.stage === "Preparing";
  if (isReturn) return;
  const had = sharesOf(activeSplit(recordBefore));
  const pods = [...had.keys()].reduce((sum, id) => sum + (readyPods.get(id) ?? 0), 0);
  for (const { id, appliedWeight, floor } of plan.revisions) {
    if (appliedWeight <= (had.get(id) ?? 0)) continue;
    const needed = Math.max(1, Math.min(floor, Math.ceil((pods * appliedWeight) / 100)));
    expect(readyPods.get(id) ?? 0, `ready pods of ${id} as it takes ${appliedWeight} %`).to.be.at.least(needed);
  }
}

function activeSplit({ stage, from, to }: RolloutRecord): Split {
  return stage === "Preparing" ? from.split : to.split;
}

function theFrontHasABackend({ plan, before, readyPods, routers }: Pass): void {
  if (before === undefined || canonicalJson(before.front) === canonicalJson(plan.front)) return;
  if (plan.front.via === "Service") {
    const { revision } = plan.front;
    expect(readyPods.get(revision) ?? 0, `ready pods of ${revision} as the front selects it`).to.be.greaterThan(0);
    return;
  }
  const ready = routers.filter((router) => router.ready);
  expect(ready.length, "ready routers as the front selects them").to.be.greaterThan(0);
  for (const { pod, routes, healthyHosts } of ready)
    for (const { revision } of routes?.split ?? [])
      expect(healthyHosts.get(revision) ?? 0, `hosts of ${revision} that ${pod} may use`).to.be.greaterThan(0);
}
