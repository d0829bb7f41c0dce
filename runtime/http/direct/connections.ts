import type { Socket } from "node:net";

import { DirectConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";

/** All connections that node:http has not been given. */
export class DirectConnections {
  readonly #options: ConnectionOptions;
  readonly #connections = new Set<DirectConnection>();
  readonly #checks: NodeJS.Timeout;

  /** Timeouts are looked at every `checkMs`. */
  constructor(options: Omit<ConnectionOptions, "onLeave">, checkMs: number) {
    this.#options = { ...options, onLeave: (connection) => this.#connections.delete(connection) };
    this.#checks = setInterval(() => this.#check(), checkMs).unref();
  }

  serve(socket: Socket): void {
    this.#connections.add(new DirectConnection(socket, this.#options));
  }

  closeIdle(): void {
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  destroy(): void {
    clearInterval(this.#checks);
    for (const connection of this.#connections) connection.destroy();
  }

  #check(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.check(now);
  }
}
