import type { ServerResponse } from "node:http";
import { once } from "node:events";
import { badRequest, ApiError } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import { objectAt, objectsAt, stringAt, type KubeObject } from "../objects.ts";
import { flagOf, integerOf } from "./query.ts";

/** Streams one container's output from the injected provider. */
export async function streamPodLogs(
  cluster: Cluster,
  pod: KubeObject,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const { namespace = "", name, uid } = pod.metadata;
  if (cluster.podLogs === undefined)
    throw new ApiError(500, "InternalError", `reading the log of pod ${namespace}/${name}: no kubelet gives logs here`);
  const follow = flagOf(query, "follow");
  const container = containerOf(pod, query.get("container"));
  const ended = new AbortController();
  response.on("close", () => ended.abort());
  const lines = cluster.podLogs.read(
    { namespace, name, uid },
    {
      container,
      follow,
      previous: flagOf(query, "previous"),
      timestamps: flagOf(query, "timestamps"),
      tailLines: integerOf(query, "tailLines"),
      sinceSeconds: integerOf(query, "sinceSeconds"),
      limitBytes: integerOf(query, "limitBytes"),
      signal: ended.signal,
    },
  );
  const begin = (): void => {
    if (!response.headersSent) response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
  };
  if (follow) begin();
  for await (const chunk of lines) {
    begin();
    if (!response.write(chunk)) await once(response, "drain", { signal: ended.signal });
  }
  begin();
  response.end();
}

function containerOf(pod: KubeObject, wanted: string | null): string {
  const spec = objectAt(pod, "spec");
  const names = [...objectsAt(spec, "containers"), ...objectsAt(spec, "initContainers")].map(
    (entry) => stringAt(entry, "name") ?? "",
  );
  if (wanted === null) {
    const own = objectsAt(spec, "containers").map((entry) => stringAt(entry, "name") ?? "");
    if (own.length === 1 && own[0] !== undefined) return own[0];
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${own.join(" ")}]`,
    );
  }
  if (!names.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
  return wanted;
}
