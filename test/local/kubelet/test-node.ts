import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { ClusterClient } from "../../../local/cluster/client.ts";
import type { Container, Pod } from "../../../local/cluster/objects.ts";
import { ClusterView } from "../../../local/cluster/view.ts";
import { machineConfig } from "../../../local/config.ts";
import { Kubelet } from "../../../local/kubelet/kubelet.ts";
import { slipwayPrograms } from "../../../local/kubelet/programs.ts";

export const NODE = "test-node";
const CRASH_BACKOFF_MS = 200;

/** A kubelet on an embedded API server. Pods are bound by hand; the image `node` runs Node itself. */
export class TestNode {
  readonly api: ApiServer;
  readonly client: ClusterClient;
  readonly view: ClusterView;
  readonly kubelet: Kubelet;
  private readonly folder: string;

  private constructor(api: ApiServer, client: ClusterClient, view: ClusterView, kubelet: Kubelet, folder: string) {
    this.api = api;
    this.client = client;
    this.view = view;
    this.kubelet = kubelet;
    this.folder = folder;
  }

  static async start(): Promise<TestNode> {
    const api = await startApiServer();
    const client = ClusterClient.plain(api.url);
    const logger = pino({ level: "silent" });
    const view = new ClusterView(client, logger);
    await view.start();
    const folder = mkdtempSync(join(tmpdir(), "slipway-kubelet-"));
    const programs = [...slipwayPrograms(undefined), { image: "node", command: [process.execPath] as const }];
    const programEnvironment = { PATH: "/usr/bin:/bin" };
    const launcher = machineConfig().tiedToParent;
    const options = { client, view, folder, programs, programEnvironment, launcher, logger };
    const kubelet = await Kubelet.start({ ...options, nodeName: NODE, crashBackoffMs: CRASH_BACKOFF_MS });
    return new TestNode(api, client, view, kubelet, folder);
  }

  async close(): Promise<void> {
    await this.kubelet.close();
    await this.view.close();
    await this.client.close();
    await this.api.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes a pod of one container that runs `script`, bound to this node. */
  async run(name: string, script: string, { container = {}, spec = {}, metadata = {} }: PodParts = {}): Promise<void> {
    const main = { name: "main", image: "node:26", args: ["-e", script], ...container };
    await this.create("pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, ...metadata },
      spec: { nodeName: NODE, terminationGracePeriodSeconds: 5, containers: [main], ...spec },
    });
  }

  async create(plural: string, object: object): Promise<void> {
    await this.client.request("POST", `/api/v1/namespaces/default/${plural}`, { body: object });
  }

  async delete(name: string): Promise<void> {
    await this.client.request("DELETE", `/api/v1/namespaces/default/pods/${name}`);
  }

  /** The pod as soon as `condition` holds of it. */
  pod(name: string, condition: (pod: Pod) => boolean): Promise<Pod> {
    return this.until(() => {
      const pod = this.view.pods.get("default", name);
      return pod !== undefined && condition(pod) ? pod : undefined;
    });
  }

  async gone(name: string): Promise<void> {
    await this.until(() => (this.view.pods.get("default", name) === undefined ? true : undefined));
  }

  async logs(
    pod: string,
    flags: { previous?: boolean; tailLines?: number; timestamps?: boolean } = {},
  ): Promise<string> {
    let text = "";
    const request = { namespace: "default", pod, ...flags };
    for await (const line of this.kubelet.readLog(request, new AbortController().signal)) text += line;
    return text;
  }

  async events(pod: string): Promise<{ reason: string; message: string; type: string; count: number }[]> {
    const path = "/api/v1/namespaces/default/events";
    const query = { fieldSelector: `involvedObject.name=${pod}` };
    const list = await this.client.request<{ items: Event[] }>("GET", path, { query });
    return list.items;
  }

  /** The pod's events once one of them has this reason: the kubelet writes them in its own time. */
  async eventsUntil(pod: string, reason: string): ReturnType<TestNode["events"]> {
    await eventually(async () => (await this.events(pod)).some((event) => event.reason === reason));
    return this.events(pod);
  }

  private until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const check = () => {
        const found = look();
        if (found !== undefined) resolve(found);
      };
      this.view.pods.subscribe(check);
      check();
    });
  }
}

interface Event {
  reason: string;
  message: string;
  type: string;
  count: number;
}

interface PodParts {
  container?: Partial<Container>;
  spec?: object;
  metadata?: object;
}

/** For what no watch tells of: asks again until it holds. */
export async function eventually(holds: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`it did not come to hold within ${withinMs} ms`);
    await sleep(20);
  }
}

export function ready(pod: Pod): boolean {
  return condition(pod, "Ready") === "True";
}

export function condition(pod: Pod, type: string): string | undefined {
  return pod.status?.conditions?.find((candidate) => candidate.type === type)?.status;
}
