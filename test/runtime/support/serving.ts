import { pino } from "pino";

import { startRuntime } from "../../../runtime/app.ts";
import type { Runtime } from "../../../runtime/app.ts";
import { readConfig } from "../../../runtime/config.ts";
import { Scratch } from "./scratch.ts";
import type { Content } from "./scratch.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A runtime in this process that serves a folder of these files, or the environment's MODEL_URI, to the tests of the enclosing suite. */
export class Serving {
  readonly #scratch = new Scratch();
  #runtime: Runtime | undefined;

  constructor(files: Readonly<Record<string, Content>>, environment: Readonly<Record<string, string>> = {}) {
    before(async () => {
      const MODEL_URI = environment["MODEL_URI"] ?? (await this.#scratch.folder(files));
      const config = readConfig({ MODEL_URI, PORT: "0", HOST: "127.0.0.1", DRAIN_SECONDS: "0", ...environment });
      this.#runtime = await startRuntime(config, pino({ level: "silent" }));
      await this.#runtime.ready;
    });
    after(() => this.#runtime?.stop(AbortSignal.abort()));
  }

  get port(): number {
    if (this.#runtime?.port === undefined) throw new Error("the runtime has not started");
    return this.#runtime.port;
  }

  get grpcPort(): number {
    if (this.#runtime?.grpcPort === undefined) throw new Error("the runtime serves no gRPC: set GRPC_PORT");
    return this.#runtime.grpcPort;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  async get(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.url(path), init);
    return { status: response.status, headers: response.headers, json: (await response.json()) as Answer["json"] };
  }

  /** `body` is sent as JSON unless it is text or bytes already. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    return this.get(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: raw ? (body as string) : JSON.stringify(body),
    });
  }

  async text(path: string): Promise<string> {
    return (await fetch(this.url(path))).text();
  }
}
