import type { LocalCluster } from "./local-cluster.ts";
import { podsOfModel } from "./model-pods.ts";

const LINES = 12;

/** The end of the log of a container that crashed, for a start that ends with it and takes the logs along; else empty. */
export async function lastWordsOf(cluster: LocalCluster, namespace: string, name: string): Promise<string> {
  for (const { metadata, status } of podsOfModel(cluster.view, namespace, name)) {
    const container = status?.containerStatuses?.[0];
    const hasCrashed = (container?.lastState?.terminated ?? container?.state?.terminated) !== undefined;
    if (!hasCrashed) continue;
    const request = {
      namespace,
      pod: metadata.name,
      previous: container?.state?.running !== undefined,
      tailLines: LINES,
    };
    let text = "";
    for await (const line of cluster.kubelet.readLog(request, new AbortController().signal)) text += line;
    return text === "" ? "" : `\n\nThe last lines of ${metadata.name}:\n${text}`;
  }
  return "";
}
