import { expect } from "chai";
import type { KubeObject } from "../../../local/api-server/objects.ts";
import { humanDuration } from "../../../local/api-server/tables/age.ts";
import { readJsonPath } from "../../../local/api-server/tables/json-path.ts";
import { podReady, podRestarts, podStatus } from "../../../local/api-server/tables/pod-status.ts";

describe("a table", () => {
  const second = 1000;
  const minute = 60 * second;
  const hour = 60 * minute;
  const day = 24 * hour;
  for (const [milliseconds, text] of [
    [0, "0s"],
    [119 * second, "119s"],
    [2 * minute, "2m"],
    [5 * minute + 30 * second, "5m30s"],
    [10 * minute + 5 * second, "10m"],
    [179 * minute, "179m"],
    [3 * hour + 12 * minute, "3h12m"],
    [8 * hour + minute, "8h"],
    [47 * hour, "47h"],
    [2 * day + 4 * hour, "2d4h"],
    [8 * day + hour, "8d"],
    [95 * day, "95d"],
    [2 * 365 * day + 30 * day, "2y30d"],
    [9 * 365 * day, "9y"],
  ] as const) {
    it(`writes an age of ${milliseconds / second} seconds as ${text}`, () =>
      expect(humanDuration(milliseconds)).to.equal(text));
  }

  const object = {
    a: { "b.c/d": 1 },
    list: [
      { type: "Ready", status: "True" },
      { type: "Other", status: "False" },
    ],
  };
  for (const [path, value] of [
    [".a.b\\.c/d", 1],
    [".list[0].type", "Ready"],
    [`.list[?(@.type=="Other")].status`, "False"],
    [".list[*].type", "Ready"],
    [".nope.nope", undefined],
  ] as const) {
    it(`reads ${path}`, () => expect(readJsonPath(object, path)).to.equal(value));
  }

  const pod = (status: object, metadata: object = {}): KubeObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
    spec: { containers: [{ name: "c" }] },
    status,
  });
  const terminated = { state: { terminated: { exitCode: 3 } }, restartCount: 0 };
  for (const [title, given, expected] of [
    ["its phase", pod({ phase: "Pending" }), "Pending"],
    [
      "what its container waits for",
      pod({ phase: "Running", containerStatuses: [{ state: { waiting: { reason: "CrashLoopBackOff" } } }] }),
      "CrashLoopBackOff",
    ],
    [
      "the exit code of a container that gave no reason",
      pod({ phase: "Failed", containerStatuses: [terminated] }),
      "ExitCode:3",
    ],
    ["that it is terminating", pod({ phase: "Running" }, { deletionTimestamp: "2026-01-01T00:00:00Z" }), "Terminating"],
    [
      "how far its init containers are",
      {
        ...pod({ phase: "Pending", initContainerStatuses: [{ state: { running: {} } }] }),
        spec: { containers: [], initContainers: [{}, {}] },
      },
      "Init:0/2",
    ],
  ] as const) {
    it(`shows of a pod ${title}`, () => expect(podStatus(given)).to.equal(expected));
  }

  it("shows ready containers and restarts of a pod", () => {
    const restarted = {
      ready: true,
      restartCount: 2,
      state: { running: {} },
      lastState: { terminated: { finishedAt: "2026-01-01T00:00:00Z" } },
    };
    const given = pod({ phase: "Running", containerStatuses: [restarted] });
    expect(podReady(given)).to.equal("1/1");
    expect(podRestarts(given, Date.parse("2026-01-01T00:00:45Z"))).to.equal("2 (45s ago)");
  });
});
