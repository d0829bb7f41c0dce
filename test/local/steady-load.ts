import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { curlOf } from "./printed-curl.ts";

const BETWEEN_REQUESTS_MS = 10;

/** Asks what a story's curl line asks, again and again: on connections that stay, and on one of its own each time. */
export class SteadyLoad {
  private readonly failures: string[] = [];
  private readonly versions = new Set<string>();
  private readonly agents = [new Agent(), new Agent({ pipelining: 0 })];
  private readonly ask: ReturnType<typeof curlOf>;
  private readonly clients: Promise<void>[];
  private answered: (() => void)[] = [];
  private isEnding = false;

  constructor(story: string) {
    this.ask = curlOf(story);
    this.clients = this.agents.map((agent) => this.run(agent));
  }

  /** Resolves when an answer to a request that was sent from now on is of this version. */
  async sees(version: string): Promise<void> {
    this.versions.clear();
    while (!this.versions.has(version)) await new Promise<void>((resolve) => this.answered.push(resolve));
  }

  /** What went wrong from the start on. */
  async end(): Promise<readonly string[]> {
    this.isEnding = true;
    await Promise.all(this.clients);
    await Promise.all(this.agents.map((agent) => agent.close()));
    return this.failures;
  }

  private async run(dispatcher: Agent): Promise<void> {
    const { url, path, headers, body } = this.ask;
    while (!this.isEnding) {
      try {
        const answer = await request(url + path, { method: "POST", headers, body, dispatcher });
        const text = await answer.body.text();
        if (answer.statusCode === 200) this.versions.add((JSON.parse(text) as { model_version: string }).model_version);
        else this.failures.push(`${answer.statusCode} ${text}`);
      } catch (error) {
        this.failures.push(String(error));
      }
      for (const resolve of this.answered.splice(0)) resolve();
      await sleep(BETWEEN_REQUESTS_MS);
    }
  }
}
