import { readFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers for the hosts of which cert.pem speaks. Addresses of other hosts are refused. */
type Hosts = Readonly<Record<string, Handler>>;

const certificate = join(import.meta.dirname, "cert.pem");

/** A proxy that is all of the internet to a process: what it asks of a host by HTTPS is answered here. */
export class Internet {
  readonly #proxy = createServer();
  readonly #tls: Server;

  private constructor(hosts: Hosts) {
    const key = readFileSync(join(import.meta.dirname, "key.pem"));
    this.#tls = createTlsServer({ key, cert: readFileSync(certificate) }, (request, response) => {
      const handler = hosts[request.headers.host ?? ""];
      if (handler) handler(request, response);
      else response.writeHead(502).end();
    });
    this.#proxy.on("connect", ({ url = "" }: IncomingMessage, socket) => {
      const [host = "", port] = url.split(":");
      if (hosts[host] === undefined || port !== "443") socket.end("HTTP/1.1 502 no such host\r\n\r\n");
      else socket.write("HTTP/1.1 200 connected\r\n\r\n", () => this.#tls.emit("connection", socket));
    });
  }

  static async open(hosts: Hosts): Promise<Internet> {
    const internet = new Internet(hosts);
    await once(internet.#proxy.listen(0, "127.0.0.1"), "listening");
    return internet;
  }

  /** By which a process finds and trusts it. */
  get environment(): Readonly<Record<string, string>> {
    const { port } = this.#proxy.address() as AddressInfo;
    return { HTTPS_PROXY: `http://127.0.0.1:${port}`, NODE_EXTRA_CA_CERTS: certificate };
  }

  close(): void {
    this.#tls.closeAllConnections();
    this.#proxy.close().closeAllConnections();
  }
}

/** Hands a request on as it came; `host` replaces the name by which it was asked. */
export function handOn(request: IncomingMessage, response: ServerResponse, target: URL, host?: string): void {
  const headers = { ...request.headers, ...(host !== undefined && { host }) };
  const options = { host: target.hostname, port: target.port, method: request.method, path: request.url, headers };
  const passed = forward(options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  passed.on("error", () => response.destroy());
  request.pipe(passed);
}
