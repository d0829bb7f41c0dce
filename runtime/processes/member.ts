import type { Logger } from "pino";

import type { Config } from "../config.ts";
import type { CountFeedback } from "../feedback/quality.ts";
import type { MetricFamily } from "../observability/metric-family.ts";
import { fetchArtifact, fetchAgain } from "../source/artifact.ts";
import type { Artifact } from "../source/artifact.ts";
import type { Assignment, FromProcess, ToProcess } from "./messages.ts";
import type { Pod } from "./pod.ts";

/** A process's line to the supervisor. */
export interface Line {
  /** Resolves when the message is on its way. */
  send(message: FromProcess): Promise<void>;
  onMessage(listener: (message: ToProcess) => void): void;
}

type Families = () => Promise<MetricFamily[]>;

/** The pod as one of its processes sees it: what is common to all of them is with the supervisor. */
export class PodMember implements Pod {
  readonly #assignment: Assignment;
  readonly #line: Line;
  readonly #counts = new Questions<Awaited<ReturnType<CountFeedback>>>();
  readonly #scrapes = new Questions<MetricFamily[]>();
  #own: Families = () => Promise.resolve([]);
  #othersReady = false;
  #follow: (othersReady: boolean) => void = () => undefined;
  #stops = 0;
  #stop: () => void = () => undefined;

  constructor(assignment: Assignment, line: Line) {
    this.#assignment = assignment;
    this.#line = line;
    line.onMessage((message) => void this.#receive(message));
  }

  get listensAtOnce(): boolean {
    return this.#assignment.listensAtOnce;
  }

  get fileSuffix(): string {
    return `.${this.#assignment.process}`;
  }

  /** The first process fetches; the others take what it got, and no other bytes. */
  async fetchArtifact(config: Config, logger: Logger, signal: AbortSignal): Promise<Artifact> {
    const { artifact: known } = this.#assignment;
    if (known !== undefined) return fetchAgain(known, config, logger, signal);
    const artifact = await fetchArtifact(config, logger, signal);
    await this.#line.send({ kind: "fetched", artifact });
    return artifact;
  }

  readonly countFeedback: CountFeedback = (feedback) =>
    this.#counts.ask((question) => this.#line.send({ kind: "feedback", question, feedback }));

  shareMetrics(own: Families): Families {
    this.#own = own;
    return () => this.#scrapes.ask((question) => this.#line.send({ kind: "scrape", question }));
  }

  onReadiness(listener: (othersReady: boolean) => void): void {
    this.#follow = listener;
    listener(this.#othersReady);
  }

  /** Calls `listener` for every stop that the supervisor asks for, those before this call too. */
  onStop(listener: () => void): void {
    this.#stop = listener;
    for (let stop = 0; stop < this.#stops; stop += 1) listener();
  }

  async #receive(message: ToProcess): Promise<void> {
    switch (message.kind) {
      case "pod":
        this.#othersReady = message.ready;
        return this.#follow(message.ready);
      case "collect":
        return this.#line.send({ kind: "collected", scrape: message.scrape, families: await this.#own() });
      case "counted":
        return this.#counts.answer(message.question, [...message.refused]);
      case "metrics":
        return this.#scrapes.answer(message.question, [...message.families]);
      case "stop":
        this.#stops += 1;
        return this.#stop();
      case "assignment": // came before this was made
    }
  }
}

/** Questions on the line, and who waits for their answers. */
class Questions<Answer> {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  async ask(send: (question: number) => Promise<void>): Promise<Answer> {
    const question = (this.#asked += 1);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(question, resolve);
    await send(question);
    return promise;
  }

  answer(question: number, answer: Answer): void {
    this.#waiting.get(question)?.(answer);
    this.#waiting.delete(question);
  }
}
