import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import type { Container, Pod, PodCondition, PodStatus } from "../cluster/objects.ts";
import type { ClusterView } from "../cluster/view.ts";
import type { ProgramEnvironment } from "../config.ts";
import { ContainerConfigError, containerEnvironment, expandVariables } from "./container-environment.ts";
import { historyOf } from "./container-history.ts";
import { ContainerPaths } from "./container-paths.ts";
import { ContainerRunner, type Launch, type RestartPolicy } from "./container-runner.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { podStatus } from "./pod-status.ts";
import { PodVolumes } from "./pod-volumes.ts";
import type { ProcessLedger } from "./process-ledger.ts";
import { chooseProgram, type Program } from "./programs.ts";
import { ServiceAccountTokens } from "./service-account-token.ts";
import { StatusWriter } from "./status-writer.ts";
import { VolumeError, VolumePendingError } from "./volume-files.ts";

const DEFAULT_GRACE_SECONDS = 30;
const DELETE_RETRY_MS = 1_000;
const TERMINATION_LOG = "/dev/termination-log";

/** What all pods of a node share. */
export interface NodeSurroundings {
  client: ClusterClient;
  view: ClusterView;
  events: EventRecorder;
  ledger: ProcessLedger;
  programs: readonly Program[];
  hostAddress: string;
  /** All that containers inherit. */
  programEnvironment: ProgramEnvironment;
  launcher: readonly string[];
  longestPreStopSeconds: number;
  podsFolder: string;
  crashBackoffMs: number;
  logger: Logger;
  now: () => number;
}

interface PodContainer {
  runner: ContainerRunner;
  paths: ContainerPaths;
}

/** One pod on this node, from its binding to its deletion: volumes, then init containers one by one, then all containers. */
export class PodWorker {
  readonly address: string;
  private pod: Pod;
  private readonly node: NodeSurroundings;
  private readonly folder: string;
  private readonly startTime: number;
  private readonly volumes: PodVolumes;
  private readonly initContainers: PodContainer[];
  private readonly containers: PodContainer[];
  private readonly status: StatusWriter;
  private state: "preparing" | "prepared" | "terminating" = "preparing";
  private reported: PodCondition[] = [];
  private readonly closing = new AbortController();
  private wake: () => void = () => {};
  private readonly finished: Promise<void>;

  constructor(pod: Pod, address: string, node: NodeSurroundings) {
    this.pod = pod;
    this.address = address;
    this.node = node;
    this.folder = join(node.podsFolder, pod.metadata.uid);
    this.startTime = node.now();
    const tokens = new ServiceAccountTokens(node.client, node.now, () => this.refresh());
    this.volumes = new PodVolumes(join(this.folder, "volumes"), node.view, (audience) =>
      tokens.get(this.pod, audience),
    );
    this.status = new StatusWriter(node.client, node.logger, () => this.statusNow());
    const policy = (pod.spec.restartPolicy ?? "Always") as RestartPolicy;
    const initPolicy = policy === "Always" ? "OnFailure" : policy;
    this.initContainers = (pod.spec.initContainers ?? []).map((container) => this.podContainer(container, initPolicy));
    this.containers = pod.spec.containers.map((container) => this.podContainer(container, policy));
    this.finished = this.run();
  }

  update(pod: Pod): void {
    this.pod = pod;
    this.refresh();
    this.status.publish(); // another's condition may be a readiness gate of ours
  }

  /** Something that the pod may be made of has changed. */
  refresh(): void {
    if (this.state === "prepared") this.tryWritingVolumes();
    this.wake();
    for (const { runner } of this.all()) runner.reconsider();
  }

  /** Ends the containers in order, then the pod's object: what a deletion asks for. */
  async terminate(): Promise<void> {
    if (this.state === "terminating") return;
    const { deletionGracePeriodSeconds } = this.pod.metadata;
    const { terminationGracePeriodSeconds = DEFAULT_GRACE_SECONDS } = this.pod.spec;
    const graceMs = (deletionGracePeriodSeconds ?? terminationGracePeriodSeconds) * 1000;
    this.state = "terminating";
    this.wake();
    this.status.publish();
    await Promise.all(this.all().map(({ runner }) => runner.stop(graceMs)));
    await this.finished;
    await this.status.settled();
    await this.deleteObject();
  }

  /** Ends the containers without their preStop and leaves the object: the node itself goes. */
  async hurry(graceMs: number): Promise<void> {
    this.state = "terminating";
    this.wake();
    for (const { runner } of this.all()) runner.hurry(graceMs);
    await this.finished;
  }

  /** Ends the containers at once: the object is gone. */
  async kill(): Promise<void> {
    this.state = "terminating";
    this.wake();
    for (const { runner } of this.all()) runner.kill();
    await this.finished;
  }

  /** Stops reporting and removes the pod's files. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.status.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The container of this name; the first one when none is named. */
  container(name: string | undefined): ContainerRunner | undefined {
    const runners = [...this.containers, ...this.initContainers].map(({ runner }) => runner);
    return name === undefined ? runners[0] : runners.find((runner) => runner.container.name === name);
  }

  private async deleteObject(): Promise<void> {
    const { namespace, name, uid } = this.pod.metadata;
    const body = { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0, preconditions: { uid } };
    while (!this.closing.signal.aborted) {
      try {
        await this.node.client.request("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, { body });
        return;
      } catch (error) {
        if (hasStatus(error, 404, 409)) return; // gone already, or another pod has its name
        this.node.logger.warn({ err: error, pod: name }, "deleting a pod that has ended failed; trying again");
        await sleep(DELETE_RETRY_MS, undefined, { signal: this.closing.signal }).catch(() => {});
      }
    }
  }

  private async run(): Promise<void> {
    await Promise.resolve(); // the constructor ends first
    this.status.publish();
    try {
      if (!(await this.prepare())) return;
      for (const { runner } of this.initContainers) {
        await runner.run();
        const { state } = runner.snapshot();
        if (state.is !== "terminated" || state.exitCode !== 0) return;
      }
      await Promise.all(this.containers.map(({ runner }) => runner.run()));
    } catch (error) {
      this.node.logger.error({ err: error, pod: this.pod.metadata.name }, "running a pod failed");
      this.event("Warning", "FailedCreatePodContainer", (error as Error).message);
    }
  }

  /** Resolves when the volumes are written: true, or the pod ends before: false. */
  private async prepare(): Promise<boolean> {
    for (const { paths } of this.all()) mkdirSync(paths.inside("/tmp"), { recursive: true });
    while (!this.isTerminating()) {
      if (this.tryWritingVolumes()) {
        this.state = "prepared";
        this.status.publish();
        return true;
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return false;
  }

  private isTerminating(): boolean {
    return this.state === "terminating";
  }

  private tryWritingVolumes(): boolean {
    try {
      this.volumes.write(this.pod, this.address);
      return true;
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      if (!(error instanceof VolumePendingError)) this.event("Warning", "FailedMount", error.message);
      return false;
    }
  }

  private podContainer(container: Container, restartPolicy: RestartPolicy): PodContainer {
    const paths = new ContainerPaths(join(this.folder, "containers", container.name), [
      ...(container.volumeMounts ?? []).map(({ mountPath }) => mountPath),
      container.terminationMessagePath ?? TERMINATION_LOG,
    ]);
    this.volumes.add(container, paths);
    const runner = new ContainerRunner(container, {
      pod: () => this.pod,
      address: this.address,
      restartPolicy,
      logFolder: join(this.folder, "logs", container.name),
      history: historyOf(this.pod, container.name, this.node.now()),
      crashBackoffMs: this.node.crashBackoffMs,
      longestPreStopSeconds: this.node.longestPreStopSeconds,
      ledger: this.node.ledger,
      now: this.node.now,
      launch: () => this.launch(container, paths),
      event: (type, reason, message) => this.event(type, reason, message, container.name),
      onChange: () => this.status.publish(),
    });
    return { runner, paths };
  }

  private launch(container: Container, paths: ContainerPaths): Launch {
    const choice = chooseProgram(this.node.programs, container);
    if ("problem" in choice) throw new ContainerConfigError(choice.problem, "ErrImagePull");
    const terminationMessageFile = paths.inside(container.terminationMessagePath ?? TERMINATION_LOG);
    const environment = containerEnvironment(container, this.pod, this.address, this.node.view);
    const localised = [...environment].map(([name, value]) => [name, paths.localise(value)]);
    // The program lies where it lies on this machine; only what the pod says speaks of the container's paths.
    const args = choice.args.map((arg) => paths.localise(expandVariables(arg, environment)));
    return {
      command: [...this.node.launcher, ...choice.command, ...args],
      environment: {
        ...this.node.programEnvironment,
        HOME: paths.root,
        TMPDIR: paths.inside("/tmp"),
        HOSTNAME: this.pod.metadata.name,
        // So that no program falls back to the machine's own /dev/termination-log.
        TERMINATION_MESSAGE_PATH: terminationMessageFile,
        // All pods share the machine's processors: each would take all of them.
        PROCESSES: "1",
        ...(Object.fromEntries(localised) as Record<string, string>),
        // All pods share the machine's network: a program that listened on all addresses would take its port from the others.
        HOST: this.address,
      },
      folder: paths.root,
      terminationMessageFile,
    };
  }

  private statusNow(): { pod: Pod; status: PodStatus } {
    const status = podStatus(
      this.pod,
      {
        address: this.address,
        hostAddress: this.node.hostAddress,
        startTime: this.startTime,
        prepared: this.state !== "preparing",
        terminating: this.state === "terminating",
        initContainers: this.initContainers.map(({ runner }) => runner.snapshot()),
        containers: this.containers.map(({ runner }) => runner.snapshot()),
        reported: this.reported,
      },
      this.node.now(),
    );
    this.reported = status.conditions ?? [];
    return { pod: this.pod, status };
  }

  private event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void {
    this.node.events.record(this.pod, type, reason, message, container);
  }

  private all(): PodContainer[] {
    return [...this.initContainers, ...this.containers];
  }
}
