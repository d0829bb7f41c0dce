import type { Clock } from "./clock.ts";
import type { Registry } from "./resources/registry.ts";
import type { Storage } from "./storage/storage.ts";

/** Where a pod's output is read, for `kubectl logs`. */
export interface PodLogs {
  /**
   * The output of one container, oldest line first; with `follow` it ends when the container does or `signal` aborts.
   * Throws when there is no such container.
   */
  read(
    pod: { namespace: string; name: string; uid: string },
    options: PodLogOptions,
  ): AsyncIterable<string | Uint8Array>;
}

export interface PodLogOptions {
  container: string;
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines: number | undefined;
  sinceSeconds: number | undefined;
  limitBytes: number | undefined;
  signal: AbortSignal;
}

/** What request handlers share. */
export interface Cluster {
  storage: Storage;
  registry: Registry;
  clock: Clock;
  podLogs: PodLogs | undefined;
}

/** Who writes and how, as the query and headers say. */
export interface WriteOptions {
  fieldManager: string;
  fieldValidation: "Ignore" | "Warn" | "Strict";
  dryRun: boolean;
  force: boolean;
  /** Warnings for the client, sent as headers. */
  warnings: string[];
}
