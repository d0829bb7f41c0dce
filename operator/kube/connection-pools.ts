import { Agent, ProxyAgent, type Dispatcher } from "undici";
import type { Credentials, TlsOptions } from "./credentials.ts";

interface ConnectionPool {
  /** Bounded, so that a burst of writes queues here instead of opening hundreds of connections. */
  requests: Dispatcher;
  /** One connection a watch, for as long as it lasts: they must not use up the connections of requests. */
  watches: Dispatcher;
}

export const maxRequestConnections = 64;
// One page of 200 objects of 600 KB; a larger answer means that something is wrong, and must not take the memory.
const maxAnswerBytes = 128 * 1024 * 1024;
const connectTimeoutMs = 10_000;
// Below the idle timeouts of API servers (90 s) and cloud load balancers (60 s), so that they do not close on our request.
const idleTimeoutMs = 30_000;
// libuv probes each second from then on and gives up after ten: a partition is noticed within 40 s, watches included.
const tcpKeepAliveMs = 30_000;

/** The pooled connections to one cluster; a new set replaces the old one when CA or client certificate changed. */
export class ConnectionPools {
  readonly #proxyUrl: string | undefined;
  #current: { fingerprint: string; pool: ConnectionPool } | undefined;
  readonly #retired = new Set<ConnectionPool>();

  constructor(proxyUrl: string | undefined) {
    if (proxyUrl?.startsWith("socks")) {
      throw new Error(
        `kubeconfig: proxy-url ${proxyUrl}: SOCKS proxies are not supported; use an http:// or https:// one`,
      );
    }
    this.#proxyUrl = proxyUrl;
  }

  get({ fingerprint, tls }: Credentials): ConnectionPool {
    if (this.#current?.fingerprint !== fingerprint) {
      if (this.#current) this.#retire(this.#current.pool);
      this.#current = { fingerprint, pool: this.#open(tls) };
    }
    return this.#current.pool;
  }

  /** Ends every connection; what is in flight fails. */
  async close(): Promise<void> {
    const pools = [...this.#retired, ...(this.#current ? [this.#current.pool] : [])];
    this.#current = undefined;
    this.#retired.clear();
    await Promise.all(pools.flatMap(({ requests, watches }) => [requests.destroy(), watches.destroy()]));
  }

  /** What is in flight may end: a watch does within its timeoutSeconds. */
  #retire(pool: ConnectionPool): void {
    this.#retired.add(pool);
    const forget = () => this.#retired.delete(pool);
    void Promise.all([pool.requests.close(), pool.watches.close()]).then(forget, forget);
  }

  #open(tls: TlsOptions): ConnectionPool {
    return {
      requests: this.#dispatcher(tls, { connections: maxRequestConnections, maxResponseSize: maxAnswerBytes }),
      watches: this.#dispatcher(tls, {}),
    };
  }

  #dispatcher(tls: TlsOptions, limits: Agent.Options): Dispatcher {
    const options: Agent.Options = {
      ...limits,
      // One watch a connection: behind HTTP/2 a single stuck connection would stall every watch at once.
      allowH2: false,
      keepAliveTimeout: idleTimeoutMs,
      // The transport has its own deadline for a request, and the reflector a stall detector for a watch.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const connect = { timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs };
    return this.#proxyUrl === undefined
      ? new Agent({ ...options, connect: { ...connect, ...tls } })
      : new ProxyAgent({ ...options, uri: this.#proxyUrl, connect, requestTls: tls });
  }
}
