import type { ClusterClient } from "../cluster/client.ts";

/**
 * Replaces the status of the object at `path`, if it still is the one that was read. Nothing else of what was read goes with it:
 * a finalizer that was added or an owner that was taken away meanwhile stays so.
 */
export async function replaceStatus(client: ClusterClient, path: string, uid: string, status: object): Promise<void> {
  await client.request("PATCH", `${path}/status`, {
    patch: "json",
    body: [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "add", path: "/status", value: status },
    ],
  });
}
