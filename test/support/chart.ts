import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../operator/kube/objects.ts";
import { findProgram } from "./programs.ts";

export type Values = Readonly<Record<string, unknown>>;

/** What `helm install slipway --namespace NAMESPACE` would bring to the cluster. Throws what helm says of wrong values. */
export async function renderChart(namespace: string, values: Values = {}): Promise<KubeObject[]> {
  const settings = Object.entries(values).flatMap(([name, value]) => [
    "--set-json",
    `${name}=${JSON.stringify(value)}`,
  ]);
  const args = ["template", "slipway", "charts/slipway", "--namespace", namespace, ...settings];
  const { stdout } = await promisify(execFile)(await findProgram("helm"), args, { maxBuffer: 16 * 1024 * 1024 });
  return parseAllDocuments(stdout)
    .map((document): unknown => document.toJS())
    .filter((object): object is KubeObject => object !== null);
}
