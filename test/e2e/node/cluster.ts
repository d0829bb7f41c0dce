import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { findProgram } from "../../support/programs.ts";

/** The cluster of KUBECONFIG, as its user has it: by kubectl and helm. Commands that fail throw what they said. */
export class Cluster {
  readonly #kubectl: string;
  readonly #helm: string;

  private constructor(kubectl: string, helm: string) {
    this.#kubectl = kubectl;
    this.#helm = helm;
  }

  static async connect(): Promise<Cluster> {
    return new Cluster(await findProgram("kubectl"), await findProgram("helm"));
  }

  async kubectl(...args: string[]): Promise<string> {
    return run(this.#kubectl, args);
  }

  async helm(...args: string[]): Promise<string> {
    return run(this.#helm, args);
  }

  async apply(namespace: string, ...objects: object[]): Promise<string> {
    const input = objects.map((object) => stringify(object)).join("---\n");
    return run(this.#kubectl, ["apply", "--namespace", namespace, "--filename", "-"], input);
  }

  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl("get", ...args, "--output", "json")) as T;
  }

  /** Runs JavaScript in a pod's Node. */
  async evaluate<T>(namespace: string, pod: string, script: string): Promise<T> {
    const answer = await this.kubectl("exec", "--namespace", namespace, pod, "--", "node", "--eval", script);
    return JSON.parse(answer) as T;
  }

  /** The same, but for as long as the caller likes. */
  spawnIn(namespace: string, pod: string, script: string): ChildProcess {
    const args = ["exec", "--namespace", namespace, pod, "--", "node", "--eval", script];
    return spawn(this.#kubectl, args, { stdio: ["ignore", "pipe", "inherit"] });
  }

  /** For a test that failed: what there is in the namespaces, and what the operators say. */
  async situation(system: string, models: string): Promise<string> {
    const asked = [
      ["get", "pods", "--all-namespaces", "--output", "wide"],
      ["describe", "mdep", "--namespace", models],
      ["get", "events", "--namespace", models, "--sort-by", ".lastTimestamp"],
      ["logs", "--namespace", system, "--selector", "app.kubernetes.io/name=slipway", "--prefix", "--tail", "100"],
    ];
    const told = asked.map((args) =>
      this.kubectl(...args).then(
        (answer) => `$ kubectl ${args.join(" ")}\n${answer}`,
        (error: unknown) => String(error),
      ),
    );
    return (await Promise.all(told)).join("\n");
  }
}

async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  const running = promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 300_000 });
  running.child.stdin?.end(input);
  const { stdout } = await running;
  return stdout;
}
