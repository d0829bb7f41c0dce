import type { ModelDeploymentStatus } from "../api/status.ts";
import { collectionPath, objectPath } from "../kube/objects.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { KubeClient } from "../kube/transport.ts";
import { modelDeployments } from "../reconcile/resource-types.ts";

type ModelDeployment = KubeObject & { status?: ModelDeploymentStatus };

export interface Selection {
  readonly name: string | undefined;
  readonly namespace: string | undefined;
}

/** What `kubectl get mdep` prints; for one object its revisions and conditions too. */
export async function printStatus(client: KubeClient, { name, namespace }: Selection, now: number): Promise<string> {
  if (name !== undefined) return describe(await readOne(client, name, namespace ?? "default"));
  const { items } = await client.request<{ items: ModelDeployment[] }>(
    "GET",
    collectionPath(modelDeployments, namespace),
    {
      action: "listing ModelDeployments",
    },
  );
  if (items.length === 0) return "No ModelDeployments found.\n";
  const head = ["NAMESPACE", "NAME", "READY", "PHASE", "SPLIT", "STEP", "URL", "AGE"];
  return table([head, ...items.map((item) => row(item, now))]);
}

async function readOne(client: KubeClient, name: string, namespace: string): Promise<ModelDeployment> {
  return client.request<ModelDeployment>("GET", objectPath(modelDeployments, { namespace, name }), {
    action: `reading ModelDeployment ${namespace}/${name}`,
  });
}

function row({ metadata, status = {} }: ModelDeployment, now: number): string[] {
  const ready = status.conditions?.find(({ type }) => type === "Ready")?.status;
  const { phase, split, step, url } = status;
  const cells = [ready, phase, split, step, url].map((cell) => cell ?? "");
  return [metadata.namespace ?? "", metadata.name, ...cells, age(metadata.creationTimestamp, now)];
}

function describe({ metadata, status = {} }: ModelDeployment): string {
  const revisions = (status.revisions ?? []).map(
    ({ revision, state, readyReplicas, replicas, weight, message = "" }) => [
      revision,
      state,
      `${readyReplicas}/${replicas}`,
      `${weight.applied}`,
      message,
    ],
  );
  const conditions = (status.conditions ?? []).map(({ type, status, reason, message }) => [
    type,
    status,
    reason,
    message,
  ]);
  return [
    `${metadata.namespace}/${metadata.name}  ${status.phase ?? ""}  ${status.url ?? ""}\n`,
    table([["REVISION", "STATE", "PODS", "WEIGHT", "MESSAGE"], ...revisions]),
    table([["CONDITION", "STATUS", "REASON", "MESSAGE"], ...conditions]),
  ].join("\n");
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows
    .map(
      (cells) =>
        `${cells
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("   ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** As kubectl writes ages: the largest unit that says enough. */
function age(since: string | undefined, now: number): string {
  if (since === undefined) return "<unknown>";
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)}m${seconds % 60 === 0 ? "" : `${seconds % 60}s`}`;
  if (seconds < 3 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
