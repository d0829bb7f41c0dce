import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { compareClusters } from "./stock-client.ts";

const deployment = (image: string, replicas = 2): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: main, image: "${image}", resources: { limits: { cpu: 1, memory: 1.5Gi } } }] }
`;
const configMap = (value: string): string =>
  `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, labels: {part: settings}}, data: {k: "${value}"}}\n`;
const service = `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}\n`;
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: tools.kubectl.slipway.dev }
spec:
  group: kubectl.slipway.dev
  scope: Namespaced
  names: { plural: tools, singular: tool, kind: Tool, shortNames: [tl] }
  versions:
    - name: v1
      served: true
      storage: true
      subresources: { status: {}, scale: { specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas } }
      additionalPrinterColumns: [{ name: Size, type: integer, jsonPath: .spec.size }, { name: Note, type: string, jsonPath: .spec.note, priority: 1 }]
      schema:
        openAPIV3Schema:
          type: object
          description: A tool of the trade.
          properties:
            spec:
              type: object
              description: What is wanted.
              required: [size]
              properties:
                size: { type: integer, minimum: 1, description: How large it is. }
                note: { type: string, enum: [a, b] }
                replicas: { type: integer, default: 1 }
                parts: { type: array, items: { type: object, properties: { name: { type: string, description: Its name. } } } }
            status: { type: object, properties: { replicas: { type: integer }, conditions: { type: array, items: { type: object, x-kubernetes-preserve-unknown-fields: true } } } }
`;
const tool = (size: string): string =>
  `{apiVersion: kubectl.slipway.dev/v1, kind: Tool, metadata: {name: saw}, spec: {size: ${size}, note: a}}\n`;

/** A command, and how it is run. */
type Command = readonly [args: string, options?: { env?: Record<string, string>; later?: true }];

/** What people type, in the order in which they type it; `later`: the output is awaited, for controllers take their time. */
const commands: readonly Command[] = [
  ["apply -f crd.yaml"],
  ["wait --for=condition=Established crd/tools.kubectl.slipway.dev --timeout=20s"],
  ["get tools", { later: true }],
  ["create configmap plain --from-literal=a=b --dry-run=server -o yaml"],
  ["create deployment dry --image=example.com/a:1 --dry-run=server -o yaml"],
  ["apply -f web.yaml"],
  ["apply -f web.yaml"],
  ["rollout status deployment/web --timeout=30s"],
  ["get deployment web", { later: true }],
  ["diff -f web.yaml"],
  ["diff -f web-2.yaml"],
  ["get deployment web -o wide", { later: true }],
  ["get deployment web -o jsonpath={.spec.template.spec.containers[0].resources.limits}"],
  ["get deployment web -o custom-columns=NAME:.metadata.name,WANTED:.spec.replicas"],
  ["get pods -l app=web -o jsonpath={.items[*].status.phase}", { later: true }],
  ["apply -f web-2.yaml"],
  ["rollout status deployment/web --timeout=30s"],
  ["rollout history deployment/web", { later: true }],
  ["rollout undo deployment/web"],
  ["rollout status deployment/web --timeout=30s"],
  ["rollout restart deployment/web"],
  ["rollout pause deployment/web"],
  ["rollout resume deployment/web"],
  ["rollout status deployment/web --timeout=30s"],
  ["scale deployment/web --replicas=3"],
  ["wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=30s"],
  ["scale deployment/web --replicas=1 --current-replicas=7"],
  ["set image deployment/web main=example.com/web:3"],
  ["rollout status deployment/web --timeout=30s"], // each template that a controller has seen leaves a ReplicaSet
  ["set env deployment/web A=b"],
  ["rollout status deployment/web --timeout=30s"],
  ["expose deployment web --port=80 --dry-run=server -o jsonpath={.spec.selector}"],
  ["label deployment web tier=front"],
  ["label deployment web tier=back"],
  ["label deployment web tier=back --overwrite"],
  ["label deployment web tier-"],
  ["annotate deployment web note=x"],
  ["annotate deployment web note-"],
  ['patch deployment web -p {"spec":{"minReadySeconds":1}}'],
  ['patch deployment web -p {"spec":{"minReadySeconds":1}}'],
  ['patch deployment web --type=json -p [{"op":"replace","path":"/spec/minReadySeconds","value":0}]'],
  ['patch deployment web --type=merge -p {"spec":{"replicas":"x"}}'],
  ['patch deployment web --subresource=scale --type=merge -p {"spec":{"replicas":2}}'],
  ["apply --server-side -f settings.yaml"],
  ["apply --server-side -f settings-2.yaml"],
  ["apply --server-side --field-manager=other -f settings.yaml"],
  ["apply --server-side --field-manager=other --force-conflicts -f settings.yaml"],
  ["get configmap settings -o yaml --show-managed-fields"],
  ["delete configmap settings"],
  ["apply -f settings.yaml"],
  ["apply --server-side -f settings-2.yaml"],
  ["get configmap settings -o yaml"],
  ["apply view-last-applied configmap/settings"],
  ["edit configmap settings", { env: { KUBE_EDITOR: "{folder}/editor" } }],
  ["get configmap settings -o jsonpath={.data}"],
  ["edit configmap settings", { env: { KUBE_EDITOR: "true" } }],
  ["replace -f settings.yaml"],
  ["create -f settings.yaml"],
  ["apply -f typo.yaml"],
  ["apply -f wrong.yaml"],
  ["apply -k overlay"],
  ["diff -k overlay"],
  ["get configmaps,services -l made=overlay"],
  ["delete -k overlay"],
  ["apply --prune --prune-allowlist=core/v1/ConfigMap -l part=settings -f settings.yaml"],
  ["explain tools"],
  ["explain tools.spec"],
  ["explain tools.spec.parts.name"],
  ["explain tools --recursive"],
  ["explain tools.spec.nothing"],
  ["apply -f saw.yaml"],
  ["get tools"],
  ["get tl -o wide"],
  ["get tools saw -o yaml"],
  ["scale tools/saw --replicas=2"],
  ['patch tools saw --type=merge -p {"spec":{"size":0}}'],
  ['patch tools saw -p {"spec":{"size":2}}'],
  ['patch tools saw --type=merge --subresource=status -p {"status":{"conditions":[{"type":"Ready","status":"True"}]}}'],
  ["wait --for=condition=Ready tools/saw --timeout=10s"],
  ["describe tools saw"],
  ["apply --server-side -f saw-2.yaml"],
  ["apply --server-side --force-conflicts -f saw-2.yaml"],
  ["diff --server-side -f saw.yaml"],
  ["delete tools saw"],
  ["auth can-i create pods"],
  ["auth can-i '*' '*'"],
  ["get nothing"],
  ["get configmap nothing"],
  ["get configmaps -l a==b==c"],
  ["get configmaps --field-selector=data.k=v"],
  ["delete configmap nothing --ignore-not-found"],
  ["get events --field-selector=involvedObject.kind=Nothing"],
  ["delete configmap settings"],
  ["wait --for=delete configmap/settings --timeout=10s"],
  ["delete deployment web --cascade=orphan"],
  ["get replicasets -l app=web -o jsonpath={.items[*].metadata.ownerReferences}", { later: true }],
  ["delete replicasets -l app=web --cascade=foreground --wait=false"],
  ["get replicasets,pods -l app=web", { later: true }],
  ["delete crd tools.kubectl.slipway.dev"],
];

compareClusters("kubectl", { others: process.env["PARITY_KUBECTLS"], prepare: writeFiles, masked }, (compare) => {
  for (const [args, { env, later = false } = {}] of commands)
    it(args, () => (later ? eventually(() => compare(args, env), 60_000) : compare(args, env)));
});

/** Without what two clusters cannot have in common: times, ages, versions, uids, generated names, temporary files. */
function masked(output: string): string {
  return output
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uid>")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>")
    .replace(/(resourceVersion: ")\d+/g, "$1<version>")
    .replace(/(Resource Version: +)\d+/g, "$1<version>")
    .replace(/\b\d+[smh](\d+[smh])?\b( *)/g, "<age> ")
    .replace(/\b10\.96\.\d+\.\d+\b( *)/g, "<address> ")
    .replace(/\bweb-[0-9a-z]{6,10}(-[0-9a-z]{5})?\b/g, "web-<random>")
    .replace(/pod-template-hash[=:] ?[0-9a-z]+/g, "pod-template-hash=<hash>")
    .replace(/(patch: Invalid value: )"\{.*\}": /s, "$1<object>: ")
    .replace(/ {2,}(?=\S)/g, (spaces, offset: number, whole: string) => (whole[offset - 1] === "\n" ? spaces : " "))
    .replace(/^(diff|---|\+\+\+) .*$/gm, "$1 <file>")
    .replace(/"[^"]*kubectl-edit-[^"]*"/g, '"<file>"')
    .replace(/Waiting for deployment .*\n/g, "");
}

async function writeFiles(folder: string): Promise<void> {
  await mkdir(join(folder, "overlay"));
  const overlay =
    "resources: [service.yaml]\nconfigMapGenerator: [{ name: made, literals: [a=b] }]\nlabels: [{ pairs: { made: overlay } }]\nnamePrefix: over-\n";
  const files: Record<string, string> = {
    "crd.yaml": definition,
    "web.yaml": deployment("example.com/web:1"),
    "web-2.yaml": deployment("example.com/web:2"),
    "settings.yaml": configMap("v"),
    "settings-2.yaml": configMap("w"),
    "typo.yaml": configMap("v").replace("data:", "dota:"),
    "wrong.yaml": deployment("example.com/web:1")
      .replace("app: web } }\n  template", "app: other } }\n  template")
      .replace("name: web,", "name: wrong,"),
    "saw.yaml": tool("1"),
    "saw-2.yaml": tool("2"),
    "overlay/kustomization.yaml": overlay,
    "overlay/service.yaml": service,
    editor: "#!/bin/sh\nsed -i 's/k: w/k: edited/' \"$1\"\n",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await chmod(join(folder, "editor"), 0o755);
}
