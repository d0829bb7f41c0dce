import cluster from "node:cluster";
import type { Worker } from "node:cluster";

import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { Quality } from "../feedback/quality.ts";
import { LoadError } from "../load-error.ts";
import type { MetricFamily } from "../observability/metric-family.ts";
import type { Artifact } from "../source/artifact.ts";
import { restartDelay } from "./restart-delay.ts";
import type { FromProcess, LoadFailure, ToProcess } from "./messages.ts";
import { PodMetrics } from "./pod-metrics.ts";

/** A process that cannot answer a scrape within this time is shown as it was at the last one. */
const SCRAPE_MS = 1_000;

interface Member {
  readonly process: string;
  readonly worker: Worker;
  readonly startedAt: number;
  /** How many before it ended soon after their start. */
  readonly restarts: number;
  isReady: boolean;
  isListening: boolean;
  failure: LoadFailure | undefined;
}

interface Scrape {
  readonly waitingFor: Set<Member>;
  readonly end: () => void;
}

/**
 * Keeps the processes of a pod running. It holds the listening sockets and deals connections out in turn, so that few
 * long-lived ones, as proxies have, load all processes alike. It never touches a request.
 */
export class Supervisor {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #members = new Map<string, Member>();
  readonly #metrics = new PodMetrics();
  readonly #quality: Quality;
  readonly #ended = Promise.withResolvers<LoadError | undefined>();
  readonly #restarts = new Map<string, NodeJS.Timeout>();
  #artifact: Artifact | undefined;
  #wasReady = false;
  #restarted = 0;
  #stopping = false;
  #failure: LoadError | undefined;
  #scrape: Scrape | undefined;
  #scrapes = 0;
  #gathering: Promise<void> | undefined;

  constructor(config: Config, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.#quality = new Quality(config.feedbackWindow);
  }

  /** Resolves when all processes have ended: with undefined after a stop, else with why there is nothing to serve. */
  get ended(): Promise<LoadError | undefined> {
    return this.#ended.promise;
  }

  start(): void {
    cluster.setupPrimary({ serialization: "advanced" }); // counts may be infinite, which JSON cannot say
    cluster.schedulingPolicy = cluster.SCHED_RR;
    this.#logger.info({ processes: this.#config.processes }, "starting processes");
    this.#fork("1", 0); // the others follow when the artifact is here
  }

  /** The first call lets all processes drain, a second one ends their wait. */
  stop(): void {
    this.#stopping = true;
    for (const timer of this.#restarts.values()) clearTimeout(timer);
    this.#tellAll({ kind: "stop" });
    this.#endWithLast();
  }

  #fork(process: string, restarts: number): void {
    const worker = cluster.fork();
    const startedAt = performance.now();
    const member: Member = {
      process,
      worker,
      startedAt,
      restarts,
      isReady: false,
      isListening: false,
      failure: undefined,
    };
    this.#members.set(process, member);
    this.#logger.info({ process, pid: worker.process.pid }, "process started");
    worker.on("listening", () => (member.isListening = true));
    worker.on("message", (message: FromProcess) => void this.#receive(member, message));
    worker.on("error", (error) => this.#logger.error({ process, err: error }, "a process cannot be reached"));
    worker.once("exit", (code, signal) => this.#exited(member, signal ?? code));
    const listensAtOnce = ![...this.#members.values()].some(({ isListening }) => isListening);
    tell(member, { kind: "assignment", assignment: { process, artifact: this.#artifact, listensAtOnce } });
    if (this.#stopping) tell(member, { kind: "stop" });
  }

  async #receive(member: Member, message: FromProcess): Promise<void> {
    switch (message.kind) {
      case "fetched":
        return this.#forkOthers(message.artifact);
      case "ready":
        member.isReady = true;
        return this.#readinessChanged();
      case "failed":
        member.failure = message.failure;
        return;
      case "collected":
        this.#metrics.update(member.process, message.families);
        if (message.scrape === this.#scrapes) this.#answered(member);
        return;
      case "scrape":
        return tell(member, { kind: "metrics", question: message.question, families: await this.#gather() });
      case "feedback": {
        const refused = message.feedback.map((each) => this.#quality.count(each));
        return tell(member, { kind: "counted", question: message.question, refused });
      }
    }
  }

  #forkOthers(artifact: Artifact): void {
    this.#artifact = artifact;
    for (let other = 2; other <= this.#config.processes && !this.#stopping; other += 1) this.#fork(String(other), 0);
  }

  #readinessChanged(): void {
    const ready = [...this.#members.values()].filter(({ isReady }) => isReady).length;
    const isReady = ready === this.#config.processes;
    this.#wasReady ||= isReady;
    this.#tellAll({ kind: "pod", ready: isReady });
    if (isReady) this.#logger.info({ processes: ready }, "all processes are ready");
  }

  #exited(member: Member, how: number | string): void {
    const { process, worker, failure } = member;
    this.#members.delete(process);
    this.#metrics.retire(process);
    this.#answered(member);
    if (this.#stopping) return this.#endWithLast();

    this.#logger.error({ process, pid: worker.process.pid, exit: how, ...failure }, "a process ended");
    if (failure?.permanent || !this.#wasReady) {
      this.#failure = asError(failure ?? endedWhileLoading(process, how, this.#config.processes));
      return this.stop();
    }
    this.#readinessChanged();
    this.#restart(member);
  }

  #restart({ process, startedAt, restarts }: Member): void {
    const { delayMs, restarts: soon } = restartDelay(restarts, performance.now() - startedAt);
    this.#restarted += 1;
    this.#logger.info({ process, delay_ms: delayMs }, "starting a process in its place");
    const timer = setTimeout(() => {
      this.#restarts.delete(process);
      this.#fork(process, soon);
    }, delayMs);
    this.#restarts.set(process, timer);
  }

  #endWithLast(): void {
    if (this.#members.size === 0) this.#ended.resolve(this.#failure);
  }

  /** The pod's metrics; scrapes at the same time share what is collected. */
  async #gather(): Promise<MetricFamily[]> {
    this.#gathering ??= this.#collect().finally(() => (this.#gathering = undefined));
    await this.#gathering;
    return [...this.#metrics.families(), ...this.#quality.families(), ...this.#ownFamilies()];
  }

  /** Resolves when every process has told its metrics, has ended, or did not within the time. */
  #collect(): Promise<void> {
    this.#scrapes += 1;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, SCRAPE_MS);
      const end = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#scrape = { waitingFor: new Set(this.#members.values()), end };
      this.#tellAll({ kind: "collect", scrape: this.#scrapes });
    });
  }

  #answered(member: Member): void {
    if (this.#scrape?.waitingFor.delete(member) && this.#scrape.waitingFor.size === 0) this.#scrape.end();
  }

  #ownFamilies(): MetricFamily[] {
    const ready = [...this.#members.values()].filter(({ isReady }) => isReady).length;
    const family = (name: string, type: "counter" | "gauge", help: string, value: number): MetricFamily => ({
      name,
      type,
      help,
      across: "sum",
      samples: [{ labels: {}, value }],
    });
    return [
      family("ml_processes_ready", "gauge", "Processes of the pod that serve", ready),
      family(
        "ml_process_restarts_total",
        "counter",
        "Processes that were started in place of one that ended",
        this.#restarted,
      ),
    ];
  }

  #tellAll(message: ToProcess): void {
    for (const member of this.#members.values()) tell(member, message);
  }
}

/** A process that is gone is heard of by its exit. */
function tell({ worker }: Member, message: ToProcess): void {
  if (worker.isConnected()) worker.send(message, undefined, () => undefined);
}

const asError = ({ reason, message, permanent }: LoadFailure): LoadError =>
  new LoadError(reason, message, { permanent });

function endedWhileLoading(process: string, how: number | string, processes: number): LoadFailure {
  return {
    reason: "InvalidModel",
    message: `process ${process} ended with ${how} before the model was loaded; is there memory for ${processes} times the model? Raise the limit, or set PROCESSES to less`,
    permanent: false,
  };
}
