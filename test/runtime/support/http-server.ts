import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of the enclosing suite, on a free port of this machine. */
export class TestServer {
  #server: Server | undefined;

  constructor(handler: (request: IncomingMessage, response: ServerResponse) => void) {
    before(async () => {
      this.#server = createServer(handler).listen(0, "127.0.0.1");
      await once(this.#server, "listening");
    });
    after(() => this.#server?.close());
  }

  get host(): string {
    if (this.#server === undefined) throw new Error("the server has not started");
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }
}
