import { connect } from "node:net";
import { Pool } from "undici";
import type { Endpoint as EndpointAddress } from "./clusters-file.ts";

const CHECK_EVERY_MS = 1_000;
const CHECK_TIMEOUT_MS = 1_000;
const FAILURES_UNTIL_UNHEALTHY = 2;

/** Below the runtime's keep-alive timeout, so that no request is sent into a connection that it just closed. */
const IDLE_MS = 30_000;

/** One pod of a revision: its connections, what it has to do, and whether it is healthy. */
export class UpstreamEndpoint {
  readonly address: EndpointAddress;
  readonly pool: Pool;
  /** Requests under way. */
  active = 0;
  /** False until a first check passes. */
  healthy = false;
  readonly #healthPath: string | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(address: EndpointAddress, healthPath: string | undefined) {
    this.address = address;
    this.#healthPath = healthPath;
    const host = address.host.includes(":") ? `[${address.host}]` : address.host;
    this.pool = new Pool(`http://${host}:${address.port}`, {
      connect: { timeout: 1_000 },
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
    });
  }

  /** Checks now, and from then on every second until closed. */
  async startChecking(): Promise<void> {
    await this.#check();
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.startChecking(), CHECK_EVERY_MS).unref();
  }

  /** A connection was refused: no traffic until the next check passes. */
  reportUnreachable(): void {
    this.healthy = false;
  }

  /** Lets what is under way finish. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.pool.close();
  }

  async #check(): Promise<void> {
    const passed = await this.#passesCheck();
    this.#failures = passed ? 0 : this.#failures + 1;
    if (passed) this.healthy = true;
    else if (this.#failures >= FAILURES_UNTIL_UNHEALTHY) this.healthy = false;
  }

  async #passesCheck(): Promise<boolean> {
    if (this.#healthPath === undefined) return this.#takesConnections();
    try {
      const { statusCode, body } = await this.pool.request({
        method: "GET",
        path: this.#healthPath,
        signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
      });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false; // whatever kept it from answering, the endpoint cannot take traffic
    }
  }

  /** All that is asked of a port whose protocol this router does not speak. */
  #takesConnections(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ ...this.address, timeout: CHECK_TIMEOUT_MS });
      const end = (passed: boolean): void => {
        socket.destroy();
        resolve(passed);
      };
      socket.once("connect", () => end(true));
      socket.once("error", () => end(false));
      socket.once("timeout", () => end(false));
    });
  }
}
