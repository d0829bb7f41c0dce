import { hasStatus, type ClusterClient } from "../cluster/client.ts";
import type { Pod } from "../cluster/objects.ts";
import { VolumeError, VolumePendingError } from "./volume-files.ts";

const LIFETIME_SECONDS = 3607;
const RENEW_AFTER_MS = 45 * 60 * 1000;
const RETRY_AFTER_MS = 2_000;

interface Held {
  token?: string;
  problem?: string;
  askAgainAt: number;
}

/** The tokens by which one pod's programs prove to the API server which service account they run as. */
export class ServiceAccountTokens {
  private readonly client: ClusterClient;
  private readonly onArrival: () => void;
  private readonly now: () => number;
  private readonly held = new Map<string, Held>();

  /** @param onArrival a token that `get` had not is there now */
  constructor(client: ClusterClient, now: () => number, onArrival: () => void) {
    this.client = client;
    this.now = now;
    this.onArrival = onArrival;
  }

  /** @throws VolumeError while the API server has not answered yet */
  get(pod: Pod, audience = ""): string {
    const held = this.held.get(audience);
    if (held === undefined || this.now() >= held.askAgainAt) void this.fetch(pod, audience, held?.token);
    if (held?.token !== undefined) return held.token;
    if (held?.problem === undefined) throw new VolumePendingError("waiting for a service account token");
    throw new VolumeError(held.problem);
  }

  private async fetch(pod: Pod, audience: string, old: string | undefined): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? "default";
    this.held.set(audience, {
      ...(old !== undefined && { token: old }),
      askAgainAt: this.now() + RETRY_AFTER_MS,
    });
    try {
      const answer = await this.client.request<{ status: { token: string } }>(
        "POST",
        `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
        {
          body: {
            apiVersion: "authentication.k8s.io/v1",
            kind: "TokenRequest",
            spec: {
              audiences: audience === "" ? [] : [audience],
              expirationSeconds: LIFETIME_SECONDS,
              boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
            },
          },
        },
      );
      const askAgainAt = this.now() + RENEW_AFTER_MS;
      this.held.set(audience, { token: answer.status.token, askAgainAt });
    } catch (error) {
      const hint = hasStatus(error, 404) ? " (set automountServiceAccountToken: false if the pod needs none)" : "";
      const problem = `fetching a token for service account ${account} failed: ${(error as Error).message}${hint}`;
      this.held.set(audience, {
        ...(old !== undefined && { token: old }),
        problem,
        askAgainAt: this.now() + RETRY_AFTER_MS,
      });
    }
    this.onArrival();
  }
}
