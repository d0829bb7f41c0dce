import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { eventually } from "./eventually.ts";

export interface ControlPlane {
  readonly kubeconfig: string;
  /** Kills kube-apiserver and starts it again at the same address, `awayMs` later; resolves when it is ready. */
  readonly restartApiServer: (awayMs: number) => Promise<void>;
  close(): Promise<void>;
}

/**
 * etcd and kube-apiserver from a folder of binaries (KUBEBUILDER_ASSETS), as envtest starts them; and, where the folder
 * has them and the caller wants them, the controller manager and the scheduler, so that Deployments make pods. Loopback
 * only, no data kept.
 */
export async function startControlPlane(assets: string, { controllers = true } = {}): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), "control-plane-"));
  const processes: ChildProcess[] = [];
  const run = (name: string, ...args: string[]): ChildProcess => {
    const log = openSync(join(folder, `${name}.log`), "a");
    const child = spawn(join(assets, name), args, { stdio: ["ignore", log, log] });
    closeSync(log);
    processes.push(child);
    return child;
  };
  const close = async (): Promise<void> => {
    await Promise.all(processes.toReversed().map(end));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [etcd, peer, api, manager, scheduler] = await freePorts(5);
    const token = randomBytes(16).toString("hex");
    const serviceAccountKey = join(folder, "service-account.key");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await writeFile(serviceAccountKey, privateKey.export({ type: "pkcs8", format: "pem" }));
    await writeFile(join(folder, "tokens.csv"), `${token},admin,admin,system:masters\n`);
    const kubeconfig = join(folder, "kubeconfig");
    await writeFile(kubeconfig, kubeconfigText(`https://127.0.0.1:${api}`, token));

    const etcdUrl = `http://127.0.0.1:${etcd}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    run(
      "etcd",
      "--data-dir",
      join(folder, "etcd"),
      "--unsafe-no-fsync",
      "--listen-client-urls",
      etcdUrl,
      "--advertise-client-urls",
      etcdUrl,
      "--listen-peer-urls",
      peerUrl,
      "--initial-advertise-peer-urls",
      peerUrl,
      "--initial-cluster",
      `default=${peerUrl}`,
    );
    const apiServer = [
      "--etcd-servers",
      etcdUrl,
      "--secure-port",
      `${api}`,
      "--bind-address",
      "127.0.0.1",
      "--cert-dir",
      join(folder, "certificates"),
      "--token-auth-file",
      join(folder, "tokens.csv"),
      "--authorization-mode",
      "RBAC",
      "--service-account-issuer",
      "https://kubernetes.default.svc",
      "--service-account-key-file",
      serviceAccountKey,
      "--service-account-signing-key-file",
      serviceAccountKey,
      "--service-cluster-ip-range",
      "10.96.0.0/16",
      "--endpoint-reconciler-type",
      "none",
      // Without controllers nobody makes the service accounts that it would demand.
      ...(controllers ? [] : ["--disable-admission-plugins", "ServiceAccount"]),
    ];
    let running = run("kube-apiserver", ...apiServer);
    const ready = async (): Promise<void> => answers(`https://127.0.0.1:${api}/readyz`, token, folder);
    const restartApiServer = async (awayMs: number): Promise<void> => {
      const gone = once(running, "exit");
      running.kill("SIGKILL");
      await gone;
      await sleep(awayMs);
      running = run("kube-apiserver", ...apiServer);
      await ready();
    };
    await ready();
    for (const [name, port] of [
      ["kube-controller-manager", manager],
      ["kube-scheduler", scheduler],
    ] as const)
      if (controllers && existsSync(join(assets, name)))
        run(
          name,
          "--kubeconfig",
          kubeconfig,
          "--leader-elect=false",
          "--bind-address",
          "127.0.0.1",
          "--secure-port",
          `${port}`,
          "--cert-dir",
          join(folder, name),
          ...(name === "kube-controller-manager"
            ? ["--service-account-private-key-file", serviceAccountKey, "--use-service-account-credentials=false"]
            : []),
        );
    return { kubeconfig, restartApiServer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function kubeconfigText(server: string, token: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "admin", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    "current-context": "test",
  });
}

async function answers(url: string, token: string, folder: string): Promise<void> {
  const { Agent, request } = await import("undici");
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    await eventually(async () => {
      const { statusCode, body } = await request(url, { dispatcher, headers: { authorization: `Bearer ${token}` } });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`kube-apiserver is not ready (logs in ${folder}): ${text}`);
    }, 60_000);
  } finally {
    await dispatcher.close();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const impatient = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await gone;
  clearTimeout(impatient);
}
