import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { Quality } from "../feedback/quality.ts";
import type { CountFeedback } from "../feedback/quality.ts";
import type { MetricFamily } from "../observability/metric-family.ts";
import { fetchArtifact } from "../source/artifact.ts";
import type { Artifact } from "../source/artifact.ts";

/** What the processes of a pod do together. */
export interface Pod {
  /** False for a process that joins others, which serve until it is ready. */
  readonly listensAtOnce: boolean;
  /** Put after the name of a file of which each process needs its own; empty for a process without others. */
  readonly fileSuffix: string;
  readonly countFeedback: CountFeedback;
  /** Throws a LoadError, or the signal's reason. */
  fetchArtifact(config: Config, logger: Logger, signal: AbortSignal): Promise<Artifact>;
  /** Returns what gathers the metrics of all processes; `own` gives those of this one. */
  shareMetrics(own: () => Promise<MetricFamily[]>): () => Promise<MetricFamily[]>;
  /** Calls `listener` whenever the others' being ready changes. */
  onReadiness(listener: (othersReady: boolean) => void): void;
}

/** The pod of a process without others. */
export function alone({ feedbackWindow }: Pick<Config, "feedbackWindow">): Pod {
  const quality = new Quality(feedbackWindow);
  return {
    listensAtOnce: true,
    fileSuffix: "",
    countFeedback: async (feedback) => feedback.map((each) => quality.count(each)),
    fetchArtifact,
    shareMetrics: (own) => async () => [...(await own()), ...quality.families()],
    onReadiness: (listener) => listener(true),
  };
}
