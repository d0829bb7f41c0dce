import type { V1ContainerState } from "@kubernetes/client-node";
import { expect } from "chai";
import { KubeError } from "../../../operator/kube/errors.ts";
import type { RequestOptions } from "../../../operator/kube/transport.ts";
import { PodComplaints } from "../../../operator/reconcile/pod-complaints.ts";
import type { Pod } from "../../../operator/reconcile/world.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { containerStatus, running, waiting } from "../../support/operator/pods.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const READINESS = "Readiness probe failed: HTTP probe failed with statuscode: 503";
const MOUNT = 'MountVolume.SetUp failed for volume "features": configmap "features" not found';

function pod(uid: string, state: V1ContainerState, fields: { ready?: boolean; resourceVersion?: string } = {}): Pod {
  const { ready = false, resourceVersion = "1" } = fields;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: uid, namespace: "credit", uid, resourceVersion },
    status: {
      containerStatuses: [containerStatus("runtime", { state, started: state.running !== undefined, ready })],
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: new Date("2026-01-01") }],
    },
  };
}

/** An API server that has these Events of every pod, and counts what it is asked. */
function stage(events: readonly object[] | KubeError) {
  const clock = new FakeClock();
  const asked: unknown[] = [];
  const client = {
    request: async <T>(_method: string, _path: string, { query }: RequestOptions = {}): Promise<T> => {
      asked.push(query?.["fieldSelector"]);
      if (events instanceof KubeError) throw events;
      return { items: events } as T;
    },
  };
  return { clock, asked, complaints: new PodComplaints({ client, clock, log: quiet }) };
}

const event = (reason: string, message: string, minute = 0) => ({
  reason,
  message,
  lastTimestamp: `2026-01-01T00:0${minute}:00Z`,
  metadata: {},
});

describe("PodComplaints", () => {
  it("tells what the readiness probe of a running pod got last", async () => {
    const events = [
      event("Unhealthy", READINESS, 2),
      event("Unhealthy", "Liveness probe failed: timeout", 3),
      event("Unhealthy", "Readiness probe failed: connection refused", 1),
    ];
    const { complaints, asked } = stage(events);
    const { complaints: told } = await complaints.read([pod("a", running)]);
    expect([...told]).to.deep.equal([["a", READINESS]]);
    expect(asked).to.deep.equal(["involvedObject.uid=a,type=Warning"]);
  });

  it("tells why the containers of a pod are not made", async () => {
    const { complaints } = stage([event("FailedMount", MOUNT)]);
    const { complaints: told } = await complaints.read([pod("a", waiting("ContainerCreating"))]);
    expect(told.get("a")).to.equal(MOUNT);
  });

  it("asks for nothing while all pods are ready", async () => {
    const { complaints, asked } = stage([event("Unhealthy", READINESS)]);
    expect(await complaints.read([pod("a", running, { ready: true })])).to.deep.equal({ complaints: new Map() });
    expect(asked).to.deep.equal([]);
  });

  it("does not ask again what it knows of an unchanged pod, and asks of few pods at once", async () => {
    const { complaints, asked, clock } = stage([event("Unhealthy", READINESS)]);
    const pods = ["a", "b", "c", "d", "e"].map((uid) => pod(uid, running));
    await complaints.read(pods);
    await clock.advance(60_000);
    await complaints.read(pods);
    expect(asked).to.have.length(3);
    await complaints.read([pod("a", running, { resourceVersion: "2" })]);
    expect(asked).to.have.length(4);
  });

  it("looks again for an Event that is not there yet, but not for ever", async () => {
    const { complaints, asked, clock } = stage([]);
    const waits = pod("a", running);
    expect((await complaints.read([waits])).askAgainMs).to.equal(10_000);
    expect(asked).to.have.length(1);
    await clock.advance(10_000);
    await complaints.read([waits]);
    expect(asked).to.have.length(2);
    await clock.advance(60_000);
    expect(await complaints.read([waits])).to.not.have.property("askAgainMs");
  });

  it("does without when Events may not be read", async () => {
    const { complaints } = stage(new KubeError("no", { status: 403, reason: "Forbidden" }));
    expect((await complaints.read([pod("a", running)])).complaints.size).to.equal(0);
  });
});
