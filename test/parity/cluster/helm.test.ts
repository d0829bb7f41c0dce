import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { findProgram } from "../../support/programs.ts";
import { startClusters } from "../clusters.ts";
import type { Clusters } from "../clusters.ts";

/** Other helms than the one of SLIPWAY_HELM, separated as in PATH. */
const others = (process.env["PARITY_HELMS"] ?? "").split(":").filter(Boolean);

const files: Record<string, string> = {
  "Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0\nappVersion: '1'\n",
  "values.yaml": "replicas: 1\nimage: example.com/web:1\n",
  "templates/web.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: { name: "{{ .Release.Name }}-web" }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [{ name: main, image: "{{ .Values.image }}" }] }
---
apiVersion: v1
kind: Service
metadata: { name: "{{ .Release.Name }}-web" }
spec: { selector: { app: {{ .Release.Name }} }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: "{{ .Release.Name }}-settings" }
data: { image: "{{ .Values.image }}" }
`,
  "templates/NOTES.txt": "{{ .Release.Name }} has {{ .Values.replicas }} replicas of {{ .Values.image }}.\n",
};

const commands = [
  "install one chart --wait --timeout 60s",
  "status one",
  "list",
  "install one chart",
  "upgrade one chart --set replicas=2 --wait --timeout 60s",
  "upgrade one chart --set image=example.com/web:2",
  "get values one",
  "get manifest one",
  "history one",
  "rollback one 1 --wait --timeout 60s",
  "history one",
  "upgrade one chart --set replicas=-1",
  "list --all",
  "upgrade --install two chart --set replicas=0",
  "uninstall one --wait --timeout 60s",
  "uninstall one",
  "uninstall two --keep-history",
  "list --uninstalled",
] as const;

for (const helm of [undefined, ...others]) {
  describe(`helm on the embedded cluster as on a real one${helm ? ` (${helm.split("/").at(-1)})` : ""}`, function () {
    this.timeout(120_000);
    let clusters: Clusters;
    let folder: string;
    let program: string;

    before(async () => {
      program = helm ?? (await findProgram("helm"));
      clusters = await startClusters(`parity-${randomBytes(3).toString("hex")}`);
      folder = await mkdtemp(join(tmpdir(), "parity-helm-"));
      await mkdir(join(folder, "chart/templates"), { recursive: true });
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, "chart", name), text);
    });
    after(async () => {
      await clusters?.close();
      if (folder) await rm(folder, { recursive: true, force: true });
    });

    for (const command of commands) {
      it(command, async () => {
        const [embedded, real] = await Promise.all(
          [clusters.embedded, clusters.real].map((file) => run(file, command)),
        );
        expect(embedded).to.deep.equal(real);
      });
    }

    async function run(kubeconfig: string, command: string): Promise<object> {
      const args = ["--namespace", clusters.namespace, ...command.split(" ")];
      const env = {
        PATH: process.env["PATH"],
        HOME: join(folder, kubeconfig.replaceAll("/", "_")),
        KUBECONFIG: kubeconfig,
      };
      return new Promise((resolve) => {
        execFile(program, args, { cwd: folder, timeout: 90_000, env }, (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
          resolve({ code, stdout: masked(stdout), stderr: masked(stderr) });
        });
      });
    }
  });
}

/** Without times, and without the state of the children, which helm lists in no order. */
function masked(output: string): string {
  return output
    .replace(/\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}/g, "<time>")
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( \+0000 UTC|Z)?( *)/g, "<time> ")
    .replace(/RESOURCES:[\s\S]*?\n\n\n/, "")
    .replace(/time="[^"]*"|^I\d{4} .*\n/gm, "")
    .replace(/^(level|time)=.*(msg=.*)$/gm, "$2")
    .replace(/ {2,}/g, " ");
}
