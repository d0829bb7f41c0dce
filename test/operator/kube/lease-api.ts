import { type Clock, sleep } from "../../../operator/kube/clock.ts";
import { KubeError } from "../../../operator/kube/errors.ts";
import type { KubeClient, Method, RequestOptions } from "../../../operator/kube/transport.ts";
import type { WatchEvent } from "../../../operator/kube/watch-stream.ts";

interface StoredLease {
  metadata: { name: string; namespace: string; resourceVersion: string };
  spec: Record<string, unknown>;
}

/** One Lease with the API server's optimistic concurrency, and each client's connection to it in the test's hands. */
export class LeaseApi {
  lease: StoredLease | undefined;
  readonly #clock: Clock;
  #version = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `connection` may change at any time. "lost": it is carried out, but the answer never comes; "slow": it takes 2 s. */
  client(connection: { state: "up" | "down" | "hangs" | "lost" | "slow" }): KubeClient {
    return {
      request: async <T>(method: Method, path: string, options: RequestOptions = {}) => {
        if (connection.state === "down") throw new KubeError("no answer", { status: 0, reason: "ConnectionFailed" });
        if (connection.state === "hangs") return this.#silence<T>(options);
        if (connection.state === "slow") await sleep(this.#clock, 2_000, options.signal);
        const answer = this.#serve(method, options.body as StoredLease | undefined) as T;
        return connection.state === "lost" ? this.#silence<T>(options) : answer;
      },
      stream: (): AsyncIterable<WatchEvent> => {
        throw new Error("leases are not watched");
      },
    };
  }

  /** What another process, or a person, writes. */
  write(spec: Record<string, unknown>): void {
    this.#store({ ...this.lease?.spec, ...spec });
  }

  #serve(method: Method, body: StoredLease | undefined): StoredLease {
    if (method === "GET" || body === undefined) {
      if (!this.lease) throw new KubeError("not found", { status: 404, reason: "NotFound" });
      return structuredClone(this.lease);
    }
    if (method === "POST") {
      if (this.lease) throw new KubeError("exists", { status: 409, reason: "AlreadyExists" });
      return this.#store(body.spec);
    }
    if (body.metadata.resourceVersion !== this.lease?.metadata.resourceVersion) {
      throw new KubeError("the object has been modified", { status: 409, reason: "Conflict" });
    }
    return this.#store({ ...this.lease.spec, ...body.spec });
  }

  #store(spec: Record<string, unknown>): StoredLease {
    this.#version += 1;
    this.lease = { metadata: { name: "lease", namespace: "system", resourceVersion: String(this.#version) }, spec };
    return structuredClone(this.lease);
  }

  /** A hung connection ends as the transport ends it: at the request's timeout, or when the caller aborts. */
  #silence<T>({ signal, timeoutMs = 30_000 }: RequestOptions): Promise<T> {
    const { promise, reject } = Promise.withResolvers<T>();
    const expired = () => reject(new KubeError("no answer in time", { status: 0, reason: "Timeout" }));
    const timer = this.#clock.setTimeout(expired, timeoutMs);
    signal?.addEventListener("abort", () => {
      timer[Symbol.dispose]();
      reject(signal.reason);
    });
    return promise;
  }
}
