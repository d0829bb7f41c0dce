import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProgramEnvironment } from "../config.ts";
import { killGroup, type ProcessLedger } from "../kubelet/process-ledger.ts";

const STOP_MS = 3_000;
/** On one machine nobody keeps an old address: what a revision leaves behind may go at once. */
const SCALE_DOWN_DELAY_SECONDS = "5";

interface OperatorOptions {
  projectFolder: string;
  kubeconfig: string;
  logFile: string;
  programEnvironment: ProgramEnvironment;
  /** Put before the program, to tie it to this process. */
  launcher: readonly string[];
  ledger: ProcessLedger;
}

/** The operator as a process of its own, as in a cluster. */
export class OperatorProcess {
  /** Resolves with its exit when it ends. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private readonly ledger: ProcessLedger;

  private constructor(child: ChildProcess, ledger: ProcessLedger) {
    this.child = child;
    this.ledger = ledger;
    this.ended = this.end();
  }

  static start({
    projectFolder,
    kubeconfig,
    logFile,
    programEnvironment,
    launcher,
    ledger,
  }: OperatorOptions): OperatorProcess {
    const log = openSync(logFile, "w");
    // On a laptop the MLflow server is this machine's own.
    const hosts = "--mlflow-hosts=*,localhost,127.0.0.1";
    const flags = ["--bind-address=127.0.0.1", "--health-port=0", "--metrics-port=0", hosts];
    const script = join(projectFolder, "operator", "main.ts");
    const [program = process.execPath, ...args] = [...launcher, process.execPath, script, ...flags];
    const child = spawn(program, [...args, `--scale-down-delay=${SCALE_DOWN_DELAY_SECONDS}`], {
      env: { ...programEnvironment, KUBECONFIG: kubeconfig },
      detached: true, // Ctrl-C in the terminal is for us; we stop it in order
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    if (child.pid !== undefined) ledger.add(child.pid, "operator");
    return new OperatorProcess(child, ledger);
  }

  async stop(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    this.child.kill("SIGTERM");
    await Promise.race([this.ended, sleep(STOP_MS, undefined, { ref: false })]);
    killGroup(pid, "SIGKILL");
    await this.ended;
  }

  private async end(): Promise<string> {
    try {
      const [code, signal] = (await once(this.child, "exit")) as [number | null, string | null];
      if (this.child.pid !== undefined) this.ledger.remove(this.child.pid);
      return signal ?? `exit ${code}`;
    } catch (error) {
      return (error as Error).message;
    }
  }
}
