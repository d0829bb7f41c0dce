import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import type { Pod, PodStatus } from "../cluster/objects.ts";

const RETRY_MS = 500;

/** Keeps one pod's status in the API server as it is here: one write at a time, the newest state, none when nothing differs. */
export class StatusWriter {
  private readonly client: ClusterClient;
  private readonly logger: Logger;
  private readonly current: () => { pod: Pod; status: PodStatus };
  private readonly closing = new AbortController();
  private written: PodStatus | undefined;
  private dirty = false;
  private writing: Promise<void> | undefined;

  constructor(client: ClusterClient, logger: Logger, current: () => { pod: Pod; status: PodStatus }) {
    this.client = client;
    this.logger = logger;
    this.current = current;
  }

  publish(): void {
    this.dirty = true;
    this.writing ??= this.write().finally(() => {
      this.writing = undefined;
    });
  }

  /** Resolves when what was published has been written. */
  async settled(): Promise<void> {
    await this.writing;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.writing;
  }

  private async write(): Promise<void> {
    const { signal } = this.closing;
    await Promise.resolve(); // changes of the same turn become one write
    while (this.dirty && !signal.aborted) {
      this.dirty = false;
      const { pod, status } = this.current();
      if (isDeepStrictEqual(status, this.written)) continue;
      const { namespace, name, uid } = pod.metadata;
      try {
        await this.client.request("PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
          patch: "merge",
          body: { metadata: { uid }, status },
          signal,
        });
        this.written = status;
      } catch (error) {
        if (signal.aborted || hasStatus(error, 404, 409)) return; // gone, or another pod has its name
        this.logger.warn({ err: error, pod: name }, "writing a pod's status failed; trying again");
        this.dirty = true;
        await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }
}
