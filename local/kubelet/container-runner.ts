import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, Pod, Probe } from "../cluster/objects.ts";
import { ContainerConfigError } from "./container-environment.ts";
import { ContainerLog } from "./container-log.ts";
import type { ContainerSnapshot, ContainerState, Terminated } from "./container-state.ts";
import { CrashBackoff } from "./crash-backoff.ts";
import { runPreStop } from "./lifecycle-hooks.ts";
import { canRun, keepAsking, type ProbeKind } from "./probe.ts";
import { endOf, START_ERROR } from "./process-end.ts";
import { killGroup, type ProcessLedger } from "./process-ledger.ts";
import { prepareTerminationMessage, readTerminationMessage } from "./termination-message.ts";

export type RestartPolicy = "Always" | "OnFailure" | "Never";

/** How a container becomes a process. */
export interface Launch {
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  folder: string;
  terminationMessageFile: string;
}

interface ContainerSurroundings {
  pod: () => Pod;
  address: string;
  restartPolicy: RestartPolicy;
  /** Where the logs of its runs go. */
  logFolder: string;
  /** Restarts and last end that an earlier kubelet left in the pod's status. */
  history: { restartCount: number; lastTerminated?: Terminated };
  crashBackoffMs: number;
  longestPreStopSeconds: number;
  ledger: ProcessLedger;
  now: () => number;
  /** @throws ContainerConfigError while something that it refers to is missing */
  launch: () => Launch;
  event: (type: "Normal" | "Warning", reason: string, message: string) => void;
  onChange: () => void;
}

const SECOND_TERM_MS = 500;

/** Runs one container of a pod as a process, again and again as the pod's restartPolicy says, and knows its state. */
export class ContainerRunner {
  readonly container: Container;
  private readonly around: ContainerSurroundings;
  private readonly backoff: CrashBackoff;
  private readonly stopping = new AbortController();
  private state: ContainerState = { is: "waiting", reason: "ContainerCreating" };
  private lastTerminated: Terminated | undefined;
  private restartCount: number;
  private started = false;
  private ready = false;
  private process: ChildProcess | undefined;
  /** The process that has been told to end. */
  private ending: ChildProcess | undefined;
  private log: ContainerLog | undefined;
  private previousLog: ContainerLog | undefined;
  private probing = new AbortController();
  private nudge = new AbortController();

  constructor(container: Container, around: ContainerSurroundings) {
    this.container = container;
    this.around = around;
    this.backoff = new CrashBackoff(around.crashBackoffMs);
    this.restartCount = around.history.restartCount;
    this.lastTerminated = around.history.lastTerminated;
  }

  snapshot(): ContainerSnapshot {
    return {
      name: this.container.name,
      image: this.container.image ?? "",
      state: this.state,
      ...(this.lastTerminated !== undefined && { lastTerminated: this.lastTerminated }),
      restartCount: this.restartCount,
      started: this.started,
      ready: this.ready && !this.stopping.signal.aborted,
    };
  }

  /** The log of the run that is, or of the one before. */
  logOf(run: "current" | "previous"): ContainerLog | undefined {
    return run === "current" ? this.log : this.previousLog;
  }

  /** Resolves when the container will not run again. */
  async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const launch = await this.launchable();
      if (launch === undefined) return;
      const ended = await this.runOnce(launch);
      this.change(ended);
      if (this.stopping.signal.aborted || !this.runsAgainAfter(ended)) return;
      this.lastTerminated = ended;
      await this.waitForRestart(ended);
      if (!this.stopping.signal.aborted) this.restartCount++;
    }
  }

  /** Something that the container may have waited for has changed. */
  reconsider(): void {
    this.nudge.abort();
  }

  /** Ends it for good: preStop, SIGTERM, and SIGKILL when the grace period is over. `run()` resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    this.probing.abort(); // that it drains is no failure
    this.ready = false;
    this.around.onChange();
    await this.end(graceMs, "Stopping container " + this.container.name);
  }

  /**
   * Ends it quickly but not rudely, also when a slower end is under way: no preStop, SIGTERM, once more for programs that
   * take the second as "now", and SIGKILL after `graceMs`.
   */
  hurry(graceMs: number): void {
    this.stopping.abort();
    this.probing.abort();
    const child = this.process;
    if (child === undefined) return;
    child.kill("SIGTERM");
    const again = setTimeout(() => child.kill("SIGTERM"), SECOND_TERM_MS);
    const last = setTimeout(() => this.kill(), graceMs);
    child.once("exit", () => {
      clearTimeout(again);
      clearTimeout(last);
    });
  }

  /** SIGKILL now, whatever else is under way. */
  kill(): void {
    this.stopping.abort();
    if (this.process?.pid !== undefined) killGroup(this.process.pid, "SIGKILL");
  }

  private async launchable(): Promise<Launch | undefined> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        return this.around.launch();
      } catch (error) {
        if (!(error instanceof ContainerConfigError)) throw error;
        this.change({ is: "waiting", reason: error.reason, message: error.message });
        this.around.event("Warning", "Failed", `Error: ${error.message}`);
      }
      this.nudge = new AbortController();
      await aborted(AbortSignal.any([signal, this.nudge.signal]));
    }
    return undefined;
  }

  private async runOnce(launch: Launch): Promise<Terminated> {
    const { now, logFolder, ledger, event } = this.around;
    const log = this.newLog(join(logFolder, `${this.restartCount}.log`));
    prepareTerminationMessage(launch.terminationMessageFile);

    const [program = "", ...args] = launch.command;
    const startedAt = now();
    const child = spawn(program, args, {
      cwd: launch.folder,
      env: launch.environment,
      detached: true, // its own process group: Ctrl-C in the terminal is for the kubelet, which ends containers in order
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = endOf(child, log);
    const { pid } = child;
    if (pid === undefined) {
      const { message } = await ended;
      event("Warning", "Failed", `Error: ${message}`);
      log.close();
      return {
        is: "terminated",
        exitCode: START_ERROR,
        reason: "StartError",
        message,
        startedAt,
        finishedAt: now(),
      };
    }
    ledger.add(pid, `${this.around.pod().metadata.name}/${this.container.name}`);
    this.process = child;
    event("Normal", "Created", `Created container: ${this.container.name}`);
    event("Normal", "Started", `Started container ${this.container.name} as process ${pid}`);

    this.probing = new AbortController();
    this.startProbes(this.probing.signal);
    this.change({ is: "running", startedAt, pid });
    const { exitCode, signal } = await ended;
    this.probing.abort();
    this.process = undefined;
    killGroup(pid, "SIGKILL"); // what it may have started itself
    ledger.remove(pid);
    log.close();
    const { terminationMessagePolicy } = this.container;
    return {
      is: "terminated",
      exitCode,
      ...(signal !== undefined && { signal }),
      reason: exitCode === 0 ? "Completed" : "Error",
      message: readTerminationMessage(launch.terminationMessageFile, terminationMessagePolicy, exitCode, log),
      startedAt,
      finishedAt: now(),
    };
  }

  private newLog(file: string): ContainerLog {
    this.previousLog = this.log;
    this.log = new ContainerLog(file, this.around.now);
    return this.log;
  }

  private startProbes(signal: AbortSignal): void {
    const { startupProbe, readinessProbe, livenessProbe } = this.container;
    const afterStartup = () => {
      this.started = true;
      this.probe("Liveness", livenessProbe, signal, (passed, because) => {
        if (!passed) void this.restartUnhealthy("liveness", because, livenessProbe);
      });
      if (readinessProbe === undefined) this.setReady(true);
      else this.probe("Readiness", readinessProbe, signal, (passed) => this.setReady(passed));
    };
    this.started = false;
    this.ready = false;
    if (startupProbe === undefined) return afterStartup();
    const startup = new AbortController();
    this.probe("Startup", startupProbe, AbortSignal.any([signal, startup.signal]), (passed, because) => {
      startup.abort();
      if (passed) afterStartup();
      else void this.restartUnhealthy("startup", because, startupProbe);
      this.around.onChange();
    });
  }

  private probe(
    kind: ProbeKind,
    probe: Probe | undefined,
    signal: AbortSignal,
    onVerdict: (passed: boolean, because: string) => void,
  ): void {
    if (probe === undefined) return;
    if (!canRun(probe)) {
      this.around.event(
        "Warning",
        "Unhealthy",
        `${kind} probe: the local kubelet knows httpGet and tcpSocket; it counts as passed`,
      );
      return onVerdict(true, "");
    }
    const onFailure = (because: string) =>
      this.around.event("Warning", "Unhealthy", `${kind} probe failed: ${because}`);
    void keepAsking(
      probe,
      { address: this.around.address, container: this.container },
      { onVerdict, onFailure },
      signal,
    );
  }

  private async restartUnhealthy(kind: string, because: string, probe: Probe | undefined): Promise<void> {
    if (this.process === undefined || this.stopping.signal.aborted) return;
    const graceSeconds =
      probe?.terminationGracePeriodSeconds ?? this.around.pod().spec.terminationGracePeriodSeconds ?? 30;
    this.setReady(false);
    await this.end(
      graceSeconds * 1000,
      `Container ${this.container.name} failed ${kind} probe, will be restarted: ${because}`,
    );
  }

  private async end(graceMs: number, why: string): Promise<void> {
    const child = this.process;
    if (child?.pid === undefined || this.ending === child) return;
    this.ending = child;
    this.around.event("Normal", "Killing", why);
    const deadline = AbortSignal.timeout(graceMs);
    const kill = () => this.process === child && child.pid !== undefined && killGroup(child.pid, "SIGKILL");
    deadline.addEventListener("abort", kill);
    await runPreStop(this.container, this.around, deadline);
    if (this.process === child) child.kill("SIGTERM");
  }

  private runsAgainAfter({ exitCode }: Terminated): boolean {
    const { restartPolicy } = this.around;
    return restartPolicy === "Always" || (restartPolicy === "OnFailure" && exitCode !== 0);
  }

  private async waitForRestart(ended: Terminated): Promise<void> {
    const waitMs = this.backoff.next(ended.finishedAt - ended.startedAt);
    if (waitMs === 0) return;
    const { name, namespace, uid } = this.around.pod().metadata;
    const what = `restarting failed container=${this.container.name} pod=${name}_${namespace}(${uid})`;
    this.change({ is: "waiting", reason: "CrashLoopBackOff", message: `back-off ${waitMs / 1000}s ${what}` });
    this.around.event("Warning", "BackOff", `Back-off ${what}`);
    await sleep(waitMs, undefined, { signal: this.stopping.signal }).catch(() => {});
  }

  private setReady(ready: boolean): void {
    if (this.ready === ready) return;
    this.ready = ready;
    this.around.onChange();
  }

  private change(state: ContainerState): void {
    this.state = state;
    if (state.is !== "running") [this.started, this.ready] = [false, false];
    this.around.onChange();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
