import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";

export interface ReceivedRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: unknown;
}

type Answer = (request: ReceivedRequest, response: ServerResponse, index: number) => void;

/** A real HTTP server that answers as a test tells it to, request by request. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = [];
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(answer: Answer, options: { port?: number; tls?: { key: Buffer; cert: Buffer } } = {}) {
    const listener = (incoming: IncomingMessage, response: ServerResponse) =>
      void scripted.receive(incoming, response, answer);
    const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
    await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const scripted = new ScriptedServer(server, `${options.tls ? "https" : "http"}://127.0.0.1:${port}`);
    return scripted;
  }

  async receive(incoming: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(incoming.url ?? "/", "http://localhost");
    const request: ReceivedRequest = {
      method: incoming.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
    this.requests.push(request);
    answer(request, response, this.requests.length - 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function kubeConfigFor(server: string, user: object = {}, cluster: object = {}): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: "scripted", server, skipTLSVerify: false, ...cluster },
    { name: "tester", ...user },
  );
  return kubeConfig;
}

export function sendJson(response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** A failure as the API server puts it. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  message: string,
  headers: Record<string, string> = {},
) {
  sendJson(response, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message }, code, headers);
}
