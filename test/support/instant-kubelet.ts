import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../../local/cluster/client.ts";
import { Mirror } from "../../local/cluster/mirror.ts";
import { kubeTime, type Pod } from "../../local/cluster/objects.ts";

interface InstantKubeletOptions {
  client: ClusterClient;
  logger: Logger;
  nodeName?: string;
}

export interface InstantKubelet {
  close(): Promise<void>;
}

/** Pods so labelled fail instead of becoming ready; the name is kwok's, so that one manifest does for both. */
const failAfterMs = 1000; // as kwok's stage; a pod that failed at once would be replaced in an endless hurry
const failLabel = "pod-container-running-failed.stage.kwok.x-k8s.io";

/** Plays a node without processes: its pods are Running and Ready as soon as they are bound to it, and go as soon as they are deleted. */
export async function startInstantKubelet({
  client,
  logger,
  nodeName = "instant",
}: InstantKubeletOptions): Promise<InstantKubelet> {
  await registerNode(client, nodeName);
  const pods = new Mirror<Pod>(client, "/api/v1/pods", logger);
  const pending = new Set<Promise<void>>();
  const failing = new Map<string, NodeJS.Timeout>();
  let addresses = 0;
  const failLater = (pod: Pod): void => {
    if (pod.metadata.labels?.[failLabel] !== "true" || pod.status?.phase !== "Running" || failing.has(pod.metadata.uid))
      return;
    const timer = setTimeout(() => {
      failing.delete(pod.metadata.uid);
      track(patchStatus(client, pod, failed(pod)));
    }, failAfterMs);
    failing.set(pod.metadata.uid, timer);
  };
  const track = (work: Promise<void>): void => {
    const step = work
      .catch((error: unknown) => logger.debug({ err: error }, "a pod's step failed"))
      .finally(() => pending.delete(step));
    pending.add(step);
  };
  const handle = (pod: Pod): void => {
    if (pod.spec.nodeName !== nodeName) return;
    track(advance(client, pod, () => address(++addresses)));
    failLater(pod);
  };
  pods.subscribe(({ type, object }) => {
    if (type !== "deleted") handle(object);
  });
  await pods.start();
  const heartbeat = setInterval(() => track(beat(client, nodeName)), HEARTBEAT_MS);
  return {
    close: async () => {
      clearInterval(heartbeat);
      await pods.close();
      for (const timer of failing.values()) clearTimeout(timer);
      await Promise.all(pending);
    },
  };
}

/** A real controller manager takes a node that is silent for 50 s for lost, and its pods for not ready. */
const HEARTBEAT_MS = 10_000;

async function beat(client: ClusterClient, name: string): Promise<void> {
  const body = { status: { conditions: [readyNode()] } };
  await client.request("PATCH", `/api/v1/nodes/${name}/status`, { patch: "strategic", body });
}

function readyNode(): object {
  const time = kubeTime(Date.now());
  return {
    type: "Ready",
    status: "True",
    reason: "KubeletReady",
    message: "",
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
}

async function registerNode(client: ClusterClient, name: string): Promise<void> {
  const capacity = { cpu: "1000", memory: "10Ti", pods: "10000" };
  try {
    await client.request("POST", "/api/v1/nodes", {
      body: {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
        status: { capacity, allocatable: capacity, conditions: [readyNode()] },
      },
    });
  } catch (error) {
    if (!hasStatus(error, 409)) throw error;
  }
}

function address(count: number): string {
  return `10.0.${Math.floor(count / 256) % 256}.${count % 256}`;
}

async function advance(client: ClusterClient, pod: Pod, nextAddress: () => string): Promise<void> {
  if (pod.metadata.deletionTimestamp === undefined) {
    if (pod.status?.phase === "Pending") await patchStatus(client, pod, running(pod, nextAddress()));
    return;
  }
  const { namespace, name, uid } = pod.metadata;
  const body = { gracePeriodSeconds: 0, preconditions: { uid } };
  await whileItExists(client.request("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, { body }));
}

async function patchStatus(client: ClusterClient, pod: Pod, status: Record<string, unknown>): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
  await whileItExists(client.request("PATCH", path, { patch: "strategic", body: { metadata: { uid }, status } }));
}

/** A pod that went on without us is no failure. */
async function whileItExists(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!hasStatus(error, 404, 409)) throw error;
  }
}

function running(pod: Pod, podIP: string): Record<string, unknown> {
  const time = kubeTime(Date.now());
  return {
    phase: "Running",
    startTime: time,
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: conditions("True", time),
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      ...containerStatus(name, image),
      ready: true,
      started: true,
      state: { running: { startedAt: time } },
    })),
  };
}

function failed(pod: Pod): Record<string, unknown> {
  const time = kubeTime(Date.now());
  return {
    phase: "Failed",
    startTime: time,
    conditions: conditions("False", time),
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      ...containerStatus(name, image),
      ready: false,
      started: false,
      state: {
        terminated: {
          exitCode: 1,
          reason: "containerFailed",
          message: "container failed",
          startedAt: time,
          finishedAt: time,
        },
      },
    })),
  };
}

function conditions(ready: "True" | "False", lastTransitionTime: string): Record<string, unknown>[] {
  return [
    { type: "Initialized", status: "True", lastTransitionTime },
    { type: "Ready", status: ready, lastTransitionTime },
    { type: "ContainersReady", status: ready, lastTransitionTime },
  ];
}

function containerStatus(name: string, image = ""): Record<string, unknown> {
  return { name, image, imageID: "", restartCount: 0, lastState: {} };
}
