import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compareClusters } from "./stock-client.ts";

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

compareClusters("helm", { others: process.env["PARITY_HELMS"], prepare: writeChart, masked }, (compare) => {
  for (const command of commands) it(command, () => compare(command));
});

async function writeChart(folder: string): Promise<void> {
  await mkdir(join(folder, "chart/templates"), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, "chart", name), text);
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
