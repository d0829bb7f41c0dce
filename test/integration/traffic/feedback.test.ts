import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { request } from "undici";
import { pods } from "../../../operator/kube/objects.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { PredictionIds } from "../../../runtime/feedback/prediction-id.ts";
import { secrets } from "../../support/resource-types.ts";
import { twoVersions } from "../objects/fixture.ts";
import { startRunningSystem, sticky } from "./running-system.ts";
import type { RunningSystem } from "./running-system.ts";

const KEY = "what the pods sign with";
const USERS = 120;
const DAY_MS = 86_400_000;
type Answer = Record<"request_id" | "prediction" | "model_version", string>;

describe("feedback for the answers of two versions with three pods each", function () {
  this.timeout(120_000);
  let running: RunningSystem;
  let port: number;

  before(async () => {
    running = await startRunningSystem();
    const data = { key: Buffer.from(KEY).toString("base64") };
    await running.fixture.create(secrets, running.fixture.object("v1", "Secret", "feedback", { data }));
    const env = [{ name: "FEEDBACK_KEY", valueFrom: { secretKeyRef: { name: "feedback", key: "key" } } }];
    await running.fixture.apply("judged", twoVersions(50, 50, { serving: { replicas: 3, env }, ...sticky }));
    await running.fixture.ready("judged", 90_000);
    port = await running.fronts.portOf(running.cluster.namespace, "judged");
  });
  after(async () => running?.close());

  it("is taken by whichever pod it meets, and counts for the version that answered", async () => {
    expect(await seriesOfAllPods(/^ml_model_accuracy\{/), "no accuracy before there is feedback").to.deep.equal([]);
    const expected: Record<string, { correct: number; incorrect: number }> = {};
    for (let user = 0; user < USERS; user += 1) {
      const row = { age: 18 + (user % 60), income: 500 * user, credit_score: 300 + 4 * user };
      const answer = (await post("/predict", `user-${user}`, row)).json as Answer;
      const { request_id, prediction, model_version } = answer;
      const isRight = user % (model_version === "1.0.0" ? 4 : 2) > 0;
      const truth = isRight === (prediction === "approved") ? "approved" : "rejected";
      // From somebody else: a router sends it to a pod of either version.
      const { status, json } = await post("/feedback", `judge-${user}`, { request_id, truth });
      expect([status, json]).to.deep.equal([200, { accepted: 1, refused: [] }]);
      const sums = (expected[model_version] ??= { correct: 0, incorrect: 0 });
      sums[isRight ? "correct" : "incorrect"] += 1;
    }
    expect(Object.keys(expected)).to.have.members(["1.0.0", "2.0.0"]);

    const counted: Record<string, { correct: number; incorrect: number }> = {};
    const pattern = /^ml_feedback_total\{model_version="([^"]+)",result="(correct|incorrect)"\} (\d+)$/;
    const takers = new Set<string>();
    for (const { pod, match } of await seriesOfAllPods(pattern)) {
      const [, version = "", result = "", count] = match;
      const sums = (counted[version] ??= { correct: 0, incorrect: 0 });
      sums[result as "correct" | "incorrect"] += Number(count);
      takers.add(`${/judged-(v\d)/.exec(pod)?.[1]} of ${version}`);
    }
    expect(counted).to.deep.equal(expected);
    expect([...takers], "versions of the pods that took feedback").to.have.members(
      ["1.0.0", "2.0.0"].flatMap((version) => [`v1 of ${version}`, `v2 of ${version}`]),
    );
    for (const { match } of await seriesOfAllPods(/^ml_model_accuracy\{model_version="([^"]+)"\} (\S+)$/)) {
      expect(["1.0.0", "2.0.0"]).to.include(match[1]);
      expect(Number(match[2])).to.be.within(0, 1);
    }
  });

  it("is refused, and counted as refused, when its id is forged or expired", async () => {
    const answer = (await post("/predict", "alice", { age: 37, income: 54_321, credit_score: 661 })).json;
    const [uuid = "", , signature] = (answer["request_id"] as string).split(".");
    const said = { version: "1.0.0", revision: undefined, kind: "classification", predictions: ["approved"] } as const;
    const write = (key: string | undefined, id: string): string => new PredictionIds(key, 0).write(id, said);
    const [, payload] = write(undefined, uuid).split(".");
    for (const [reason, id] of [
      ["forged", `${uuid}.${payload}.${signature}`],
      ["forged", write("another key", uuid)],
      ["forged", write(undefined, uuid)],
      ["expired", write(KEY, uuidAt(Date.now() - 31 * DAY_MS))],
      ["not_self_describing", randomUUID()],
    ] as const) {
      const before = await refusals(reason);
      const { status, json } = await post("/feedback", "bob", { request_id: id, truth: "approved" });
      expect([status, json["accepted"]], reason).to.deep.equal([422, 0]);
      expect(json["refused"]).to.have.nested.property("[0].reason", reason);
      expect(await refusals(reason)).to.equal(before + 1);
    }
  });

  async function refusals(reason: string): Promise<number> {
    const found = await seriesOfAllPods(new RegExp(`^ml_feedback_refused_total\\{reason="${reason}"\\} (\\d+)$`));
    return found.reduce((sum, { match }) => sum + Number(match[1]), 0);
  }

  /** Lines of the pods' metrics; all pods together are what Prometheus would sum over. */
  async function seriesOfAllPods(pattern: RegExp): Promise<{ pod: string; match: RegExpExecArray }[]> {
    const selector = "serving.slipway.dev/model-deployment=judged,app.kubernetes.io/component=revision";
    const all = await running.fixture.list<KubeObject & { status: { podIP: string } }>(pods, selector);
    expect(all).to.have.length(6);
    const found = all.map(async ({ metadata: { name }, status: { podIP } }) => {
      const { body } = await request(`http://${podIP}:8000/metrics`);
      const matches = (await body.text()).split("\n").map((line) => pattern.exec(line));
      return matches.flatMap((match) => (match === null ? [] : [{ pod: name, match }]));
    });
    return (await Promise.all(found)).flat();
  }

  async function post(
    path: string,
    user: string,
    body: object,
  ): Promise<{ status: number; json: Record<string, unknown> }> {
    const headers = { "content-type": "application/json", "x-user-id": user };
    const sent = { method: "POST", headers, body: JSON.stringify(body) } as const;
    const { statusCode, body: answer } = await request(`http://127.0.0.1:${port}${path}`, sent);
    return { status: statusCode, json: (await answer.json()) as Record<string, unknown> };
  }
});

/** A UUID of version 7 that was made then. */
function uuidAt(milliseconds: number): string {
  const time = milliseconds.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7abc-8def-0123456789ab`;
}
