import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import { kubeTime, type Pod } from "../cluster/objects.ts";

const MAX_REMEMBERED = 1_000;
const MAX_MESSAGE = 1_024;

/** Writes core/v1 Events about pods. The same event again raises its count; a failure to write one never disturbs a pod. */
export class EventRecorder {
  private readonly client: ClusterClient;
  private readonly nodeName: string;
  private readonly logger: Logger;
  private readonly now: () => number;
  private readonly counts = new Map<string, number>();
  private queue: Promise<void> = Promise.resolve();
  private queued = 0;

  constructor(client: ClusterClient, nodeName: string, logger: Logger, now: () => number) {
    this.client = client;
    this.nodeName = nodeName;
    this.logger = logger;
    this.now = now;
  }

  record(pod: Pod, type: "Normal" | "Warning", reason: string, message: string, container?: string): void {
    if (this.queued >= MAX_REMEMBERED) return; // the API server is away: events are the first thing to do without
    this.queued++;
    this.queue = this.writeAfter(this.queue, pod, type, reason, message.slice(0, MAX_MESSAGE), container);
  }

  /** Resolves when all that was recorded so far is written or given up. */
  flush(): Promise<void> {
    return this.queue;
  }

  private async writeAfter(earlier: Promise<void>, ...event: Parameters<EventRecorder["write"]>): Promise<void> {
    await earlier;
    try {
      await this.write(...event);
    } catch (error) {
      this.logger.debug({ err: error, pod: event[0].metadata.name, reason: event[2] }, "an event was not written");
    } finally {
      this.queued--;
    }
  }

  private async write(pod: Pod, type: string, reason: string, message: string, container?: string): Promise<void> {
    const { namespace, name, uid, resourceVersion } = pod.metadata;
    const id = createHash("sha256")
      .update(JSON.stringify([uid, reason, message, container]))
      .digest("hex")
      .slice(0, 16);
    const path = `/api/v1/namespaces/${namespace}/events`;
    const time = kubeTime(this.now());
    const count = (this.counts.get(id) ?? 0) + 1;
    this.remember(id, count);
    if (count > 1) {
      try {
        await this.client.request("PATCH", `${path}/${name}.${id}`, {
          patch: "merge",
          body: { count, lastTimestamp: time },
        });
        return;
      } catch (error) {
        if (!hasStatus(error, 404)) throw error; // an event outlived its hour: it is written anew
      }
    }
    await this.client.request("POST", path, {
      body: {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: `${name}.${id}`, namespace },
        involvedObject: {
          apiVersion: "v1",
          kind: "Pod",
          namespace,
          name,
          uid,
          resourceVersion,
          ...(container !== undefined && { fieldPath: `spec.containers{${container}}` }),
        },
        reason,
        message,
        type,
        count,
        firstTimestamp: time,
        lastTimestamp: time,
        source: { component: "kubelet", host: this.nodeName },
        reportingComponent: "kubelet",
        reportingInstance: this.nodeName,
      },
    });
  }

  private remember(id: string, count: number): void {
    this.counts.delete(id);
    this.counts.set(id, count);
    const oldest = this.counts.keys().next();
    if (this.counts.size > MAX_REMEMBERED && oldest.done !== true) this.counts.delete(oldest.value);
  }
}
