import { cpus, totalmem } from "node:os";
import type { Logger } from "pino";
import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import { kubeTime } from "../cluster/objects.ts";

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const HEARTBEAT_MS = 10_000;
const MAX_PODS = 110;

export interface NodeDescription {
  name: string;
  address: string;
  /** Where this kubelet serves logs, for `kubectl logs` through a real API server. */
  logPort: number;
  /** Overrides of what the machine has, e.g. to schedule more than it could run with guarantees: limits are not enforced. */
  capacity?: { cpu?: string; memory?: string; pods?: string };
}

/** The Node object and its heartbeat. */
export class NodeRegistration {
  private readonly client: ClusterClient;
  private readonly node: NodeDescription;
  private readonly logger: Logger;
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> = Promise.resolve();

  constructor(client: ClusterClient, node: NodeDescription, logger: Logger, now: () => number) {
    this.client = client;
    this.node = node;
    this.logger = logger;
    this.now = now;
  }

  async register(): Promise<void> {
    await this.create("/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: LEASE_NAMESPACE },
    });
    const labels = {
      "kubernetes.io/hostname": this.node.name,
      "kubernetes.io/os": process.platform,
      "kubernetes.io/arch": process.arch === "x64" ? "amd64" : process.arch,
    };
    const annotations = {
      "slipway.dev/local":
        "Pods run as processes of this machine: images are not pulled, and CPU and memory limits are not enforced.",
    };
    const metadata = { name: this.node.name, labels, annotations };
    await this.create("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata });
    await this.client.request("PATCH", `/api/v1/nodes/${this.node.name}/status`, {
      patch: "strategic",
      body: { status: this.status() },
    });
    await this.renewLease();
    this.timer = setInterval(() => {
      this.beating = this.heartbeat();
    }, HEARTBEAT_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.beating;
  }

  /** A node that will not come back: without its object the control plane clears its pods. */
  async remove(): Promise<void> {
    try {
      await this.client.request("DELETE", `/api/v1/nodes/${this.node.name}`);
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  }

  private async heartbeat(): Promise<void> {
    try {
      await this.renewLease();
    } catch (error) {
      this.logger.warn({ err: error }, "renewing the node's lease failed; trying again at the next heartbeat");
    }
  }

  private async renewLease(): Promise<void> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${LEASE_NAMESPACE}/leases`;
    const spec = {
      holderIdentity: this.node.name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: new Date(this.now()).toISOString().replace("Z", "000Z"), // a MicroTime
    };
    try {
      await this.client.request("PATCH", `${path}/${this.node.name}`, { patch: "merge", body: { spec } });
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
      const metadata = { name: this.node.name, namespace: LEASE_NAMESPACE };
      await this.create(path, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
    }
  }

  private async create(path: string, body: object): Promise<void> {
    try {
      await this.client.request("POST", path, { body });
    } catch (error) {
      if (!hasStatus(error, 409)) throw error; // it is there already
    }
  }

  private status(): object {
    const resources = {
      cpu: String(cpus().length),
      memory: `${Math.floor(totalmem() / 1024)}Ki`,
      pods: String(MAX_PODS),
      ...this.node.capacity,
    };
    const time = kubeTime(this.now());
    const condition = (type: string, status: "True" | "False", reason: string, message: string) => ({
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: time,
      lastTransitionTime: time,
    });
    return {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: "InternalIP", address: this.node.address },
        { type: "Hostname", address: this.node.name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: this.node.logPort } },
      conditions: [
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", "True", "KubeletReady", "the local kubelet runs pods as processes"),
      ],
      nodeInfo: {
        machineID: "",
        systemUUID: "",
        bootID: "",
        kernelVersion: "",
        osImage: process.platform,
        containerRuntimeVersion: `process://node-${process.versions.node}`,
        kubeletVersion: "v1.36.0-slipway-local",
        kubeProxyVersion: "",
        operatingSystem: process.platform,
        architecture: process.arch === "x64" ? "amd64" : process.arch,
      },
    };
  }
}
