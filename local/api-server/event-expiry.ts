import type { Cluster } from "./cluster.ts";
import { stringAt } from "./objects.ts";

const timeToLiveMs = 60 * 60 * 1000;
const sweepEveryMs = 60_000;

/** Removes Events an hour after their last change. Returns the function that stops it. */
export function expireEvents(cluster: Cluster): () => void {
  const keys = cluster.registry
    .all()
    .filter((resource) => resource.kind === "Event")
    .map((resource) => resource.storageKey);
  const sweep = (): void => {
    const oldest = cluster.clock.now() - timeToLiveMs;
    for (const key of new Set(keys)) {
      for (const event of cluster.storage.list(key)) {
        const last =
          stringAt(event, "lastTimestamp") ?? stringAt(event, "eventTime") ?? event.metadata.creationTimestamp;
        if (Date.parse(last) < oldest) cluster.storage.remove(key, event);
      }
    }
  };
  sweep(); // what was kept from a former run
  const timer = setInterval(sweep, sweepEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
