import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, openSync, readSync, closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import { KubeTransport } from "/work/wt-op/operator/kube/transport.ts";
import { installCrds } from "/work/wt-op/test/support/install-crds.ts";
import { Fleet } from "/work/wt-op/bench/operator/fleet.ts";
const { values } = parseArgs({ options: { dist: { type: "string", multiple: true }, objects: { type: "string" }, node: { type: "string", multiple: true }, prof: { type: "string" }, flag: {type:"string", multiple:true}, settle: {type:"string"} } });
const kc = "/tmp/op/cluster/kubeconfig", audit = "/tmp/op/cluster/audit.log";
const kubeConfig = new KubeConfig(); kubeConfig.loadFromFile(kc);
const client = new KubeTransport(kubeConfig, { userAgent: "slipway-bench" });
await installCrds(client);
const N = Number(values.objects ?? 100);
const nodeFlags = values.node ?? ["--optimize-for-size", "--max-semi-space-size=4"];
for (const dist of values.dist ?? ["/tmp/op/base"]) {
  const namespace = `op-${Date.now().toString(36)}`;
  const fleet = new Fleet({ client, namespace, playsController: false });
  await fleet.start();
  const args = [...nodeFlags.filter(Boolean), ...(values.prof ? ["--cpu-prof", `--cpu-prof-dir=${values.prof}`] : []), `${dist}/main.js`, "--watch-namespaces", namespace, "--bind-address", "127.0.0.1", "--health-port", "0", "--metrics-port", "0", ...(values.flag ?? [])];
  const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH!, KUBECONFIG: kc, MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" }, stdio: ["ignore", "pipe", "inherit"] });
  let text = ""; child.stdout!.setEncoding("utf8");
  let ports: any; let synced = Promise.withResolvers<void>();
  child.stdout!.on("data", (c: string) => { text = (text + c).slice(-20000); const m = /(\{.*"operator started".*\})/.exec(text); if (m) ports ??= JSON.parse(m[1]!); if (text.includes("caches synced")) synced.resolve(); });
  await synced.promise;
  const cpu = () => { const f = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ").at(-1)!.split(" "); return (Number(f[11]) + Number(f[12])) / 100; };
  const metrics = async () => (await fetch(`http://127.0.0.1:${ports.metricsPort}/metrics`)).text();
  const passes = async () => [...(await metrics()).matchAll(/^controller_runtime_reconcile_total\{[^}]*\} (\d+)/gm)].reduce((s, m) => s + Number(m[1]), 0);
  const offset = statSync(audit).size; const c0 = cpu(), p0 = await passes();
  const names = Array.from({ length: N }, (_, i) => `o-${i}`);
  const wave = await fleet.create(names, () => {});
  await delay(Number(values.settle ?? 5) * 1000);
  const c1 = cpu(), p1 = await passes();
  const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1]) / 1024;
  child.kill("SIGTERM"); await once(child, "exit");
  await delay(1000);
  const size = statSync(audit).size - offset; const fd = openSync(audit, "r"); const buf = Buffer.alloc(size); readSync(fd, buf, 0, size, offset); closeSync(fd);
  const kinds = new Map<string, number>(); let all = 0;
  for (const line of buf.toString().split("\n")) {
    if (!line.includes(namespace) || !line.includes("slipway-operator")) continue;
    let e; try { e = JSON.parse(line); } catch { continue; }
    if (e.stage !== "ResponseComplete" || e.verb === "watch" || e.userAgent !== "slipway-operator") continue;
    all++; const r = e.objectRef; let k = `${e.verb} ${r.resource}${r.subresource ? "/" + r.subresource : ""}${e.responseStatus.code >= 300 ? " " + e.responseStatus.code : ""}`;
    kinds.set(k, (kinds.get(k) ?? 0) + 1);
  }
  const lag = wave.lagMs.toSorted((a, b) => a - b);
  console.log(JSON.stringify({ dist, N, children: +wave.children.toFixed(1), pods: +wave.pods.toFixed(1), ready: +wave.ready.toFixed(1), lag50: Math.round(lag[N >> 1]!), lag99: Math.round(lag[Math.floor(N * .99)]!), cpu: +(c1 - c0).toFixed(2), passes: +((p1 - p0) / N).toFixed(2), requests: +(all / N).toFixed(2), peak: Math.round(peak) }));
  console.log("   " + [...kinds].sort((a, b) => b[1] - a[1]).map(([k, n]) => `${k}: ${(n / N).toFixed(2)}`).join(", "));
  await fleet.stop();
}
await client.close();
