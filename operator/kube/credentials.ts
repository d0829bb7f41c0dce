import { createHash } from "node:crypto";
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { Clock } from "./clock.ts";

/** What one request to the cluster needs to be let in. */
export interface Credentials {
  /** Authorization, impersonation. */
  headers: Record<string, string>;
  tls: TlsOptions;
  /** Equal for equal `tls`: connections are shared while it does not change. */
  fingerprint: string;
}

export interface TlsOptions {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  rejectUnauthorized?: boolean;
  servername?: string;
}

// Bounds how long a rotated token, CA or client certificate goes unnoticed, without reading files on each request.
const freshForMs = 10_000;

/** Reads the KubeConfig's credentials (files, tokens, exec plugins), again when they may have rotated. */
export class CredentialSource {
  #kubeConfig: KubeConfig;
  readonly #clock: Clock;
  #current: { credentials: Promise<Credentials>; readAt: number } | undefined;

  constructor(kubeConfig: KubeConfig, clock: Clock) {
    this.#kubeConfig = copyOf(kubeConfig);
    this.#clock = clock;
  }

  /** Concurrent callers share one read: an exec plugin may take a second and open a browser. */
  async credentials(): Promise<Credentials> {
    const now = this.#clock.monotonic();
    if (this.#current === undefined || now - this.#current.readAt >= freshForMs) {
      this.#current = { credentials: readCredentials(this.#kubeConfig), readAt: now };
    }
    const current = this.#current;
    try {
      return await current.credentials;
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      throw error;
    }
  }

  /** The server could not be reached or trusted: read the files again next time. */
  invalidate(): void {
    this.#current = undefined;
  }

  /** The server refused the credentials: forget also the tokens that a plugin or a file gave. */
  refused(): void {
    this.invalidate();
    this.#kubeConfig = copyOf(this.#kubeConfig);
  }
}

async function readCredentials(kubeConfig: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {};
  await kubeConfig.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim(); // token files may end in a newline, which no header may hold
  }
  if (options.auth) headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;

  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(([, value]) => value !== undefined),
  ) as TlsOptions;
  return { headers, tls, fingerprint: fingerprint(tls) };
}

function fingerprint({ ca, cert, key, rejectUnauthorized, servername }: TlsOptions): string {
  const hash = createHash("sha256");
  for (const part of [ca, cert, key, String(rejectUnauthorized), servername]) {
    hash.update(part ?? "").update("\0");
  }
  return hash.digest("hex");
}

/**
 * A KubeConfig whose authenticators have cached nothing yet. client-node refuses http:// servers unless told to skip a
 * TLS check that they do not have.
 */
function copyOf(kubeConfig: KubeConfig): KubeConfig {
  const copy = new KubeConfig();
  copy.loadFromOptions({
    clusters: kubeConfig
      .getClusters()
      .map((cluster) => (cluster.server.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster)),
    users: kubeConfig.getUsers(),
    contexts: kubeConfig.getContexts(),
    currentContext: kubeConfig.getCurrentContext(),
  });
  return copy;
}
