import type { LoadFailureReason } from "../contract.ts";
import type { Feedback, RefusedFeedback } from "../feedback/quality.ts";
import type { MetricFamily } from "../observability/metric-family.ts";
import type { Artifact } from "../source/artifact.ts";

/** What a process is to do, told once when it starts. */
export interface Assignment {
  /** Where the pod's metrics and logs tell the processes apart. */
  readonly process: string;
  /** What the first process fetched; absent for the first one itself. */
  readonly artifact?: Artifact | undefined;
  /** False for a process that joins others: it would answer 503 to a part of the requests until it is loaded. */
  readonly listensAtOnce: boolean;
}

/** Of a LoadError: errors lose their class on the way. */
export interface LoadFailure {
  readonly reason: LoadFailureReason;
  readonly message: string;
  readonly permanent: boolean;
}

export type ToProcess =
  | { readonly kind: "assignment"; readonly assignment: Assignment }
  /** Whether all processes of the pod are ready. */
  | { readonly kind: "pod"; readonly ready: boolean }
  | { readonly kind: "stop" }
  | { readonly kind: "collect"; readonly scrape: number }
  | { readonly kind: "metrics"; readonly question: number; readonly families: readonly MetricFamily[] }
  | { readonly kind: "counted"; readonly question: number; readonly refused: readonly (RefusedFeedback | undefined)[] };

export type FromProcess =
  | { readonly kind: "fetched"; readonly artifact: Artifact }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly failure: LoadFailure }
  | { readonly kind: "collected"; readonly scrape: number; readonly families: readonly MetricFamily[] }
  /** Asks for the metrics of all processes. */
  | { readonly kind: "scrape"; readonly question: number }
  | { readonly kind: "feedback"; readonly question: number; readonly feedback: readonly Feedback[] };
