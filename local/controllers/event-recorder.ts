import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import { kubeTime, type KubeObject } from "../cluster/objects.ts";

interface Subject {
  apiVersion: string;
  kind: string;
  object: KubeObject;
}

/** How many events may wait; more are dropped. */
const maximumPending = 500;

/** Writes the controllers' Events, in order and without holding a controller up. */
export class EventRecorder {
  private readonly client: ClusterClient;
  private readonly logger: Logger;
  private readonly now: () => number;
  private pending = 0;
  private last: Promise<void> = Promise.resolve();

  constructor(client: ClusterClient, logger: Logger, now: () => number) {
    this.client = client;
    this.logger = logger;
    this.now = now;
  }

  record(component: string, subject: Subject, type: "Normal" | "Warning", reason: string, message: string): void {
    if (this.pending >= maximumPending) return;
    this.pending += 1;
    this.last = this.last
      .then(() => this.write(component, subject, type, reason, message))
      .catch((error: unknown) => this.logger.debug({ err: error, reason }, "an event was not written"))
      .finally(() => {
        this.pending -= 1;
      });
  }

  /** Waits for what was recorded so far. */
  flush(): Promise<void> {
    return this.last;
  }

  private async write(
    component: string,
    subject: Subject,
    type: string,
    reason: string,
    message: string,
  ): Promise<void> {
    const { namespace = "default", name, uid, resourceVersion } = subject.object.metadata;
    const id = createHash("sha256").update([uid, reason, message].join("\0")).digest("hex").slice(0, 16);
    const path = `/api/v1/namespaces/${namespace}/events`;
    const time = kubeTime(this.now());
    try {
      await this.client.request("POST", path, {
        body: {
          metadata: { name: `${name}.${id}`, namespace },
          involvedObject: { apiVersion: subject.apiVersion, kind: subject.kind, namespace, name, uid, resourceVersion },
          type,
          reason,
          message,
          count: 1,
          firstTimestamp: time,
          lastTimestamp: time,
          source: { component },
          reportingComponent: component,
        },
      });
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      const known = await this.client.request<{ count?: number }>("GET", `${path}/${name}.${id}`);
      await this.client.request("PATCH", `${path}/${name}.${id}`, {
        patch: "merge",
        body: { count: (known.count ?? 1) + 1, lastTimestamp: time },
      });
    }
  }
}
