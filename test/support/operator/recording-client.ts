import { KubeError } from "../../../operator/kube/errors.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import type { KubeClient, Method, RequestOptions } from "../../../operator/kube/transport.ts";
import type { WatchEvent } from "../../../operator/kube/watch-stream.ts";

/** Keeps what is written to it, and the order: as much of an API server as one writer of whole objects can tell. */
export class RecordingClient implements KubeClient {
  readonly objects = new Map<string, KubeObject>();
  /** `PATCH Service/loan`, or `PATCH status of ModelDeployment/loan`. */
  readonly writes: string[] = [];
  readonly #refusals = new Map<string, KubeError>();
  #version = 1_000;

  /** From now on writes of `Service/loan` are answered so. */
  refuse(child: string, status: number, reason: string, message = reason): void {
    this.#refusals.set(child, new KubeError(message, { status, reason }));
  }

  accept(child: string): void {
    this.#refusals.delete(child);
  }

  /** What somebody else made. */
  put(object: KubeObject): void {
    this.objects.set(`${object.kind}/${object.metadata.name}`, this.#stored(object));
  }

  async request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    if (method === "GET") return this.#find(path) as T;
    if (method === "DELETE") {
      const { kind, metadata } = this.#find(path);
      this.writes.push(`DELETE ${kind}/${metadata.name}`);
      this.objects.delete(`${kind}/${metadata.name}`);
      return {} as T;
    }
    const body = options.body as KubeObject;
    const child = `${body.kind}/${body.metadata.name}`;
    this.writes.push(`${method} ${path.endsWith("/status") ? "status of " : ""}${child}`);
    const refusal = this.#refusals.get(child);
    if (refusal !== undefined) throw refusal;
    const before = this.objects.get(child);
    const stored = this.#stored({ ...before, ...body, metadata: { ...before?.metadata, ...body.metadata } });
    this.objects.set(child, stored);
    return stored as T;
  }

  stream(): AsyncIterable<WatchEvent> {
    throw new Error("nothing is watched here");
  }

  #find(path: string): KubeObject {
    const [plural, name] = path.split("/").slice(-2);
    const found = [...this.objects.values()].find(
      ({ kind, metadata }) => `${kind.toLowerCase()}s` === plural && metadata.name === name,
    );
    if (found === undefined) throw new KubeError(`${path} is not found`, { status: 404, reason: "NotFound" });
    return found;
  }

  #stored(object: KubeObject): KubeObject {
    this.#version += 1;
    const { name } = object.metadata;
    return { ...object, metadata: { uid: `uid-${name}`, ...object.metadata, resourceVersion: String(this.#version) } };
  }
}
