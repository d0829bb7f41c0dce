import { connect, createServer, type Server, type Socket } from "node:net";
import type { Endpoint } from "../cluster/endpoints.ts";

const LAST_PORT = 65_535;
const CONNECT_TIMEOUT_MS = 1_000;

/** A TCP port whose connections go to `targets` in turn. A connection that stands stays where it is, as with kube-proxy. */
export class Forwarder {
  targets: readonly Endpoint[] = [];
  readonly port: number;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private turn = 0;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.port = port;
    server.on("connection", (client) => this.forward(client));
  }

  /** Listens on the first free port from `firstPort` on, but for the one that is another's. */
  static async listen(host: string, firstPort: number, anothers?: number): Promise<Forwarder> {
    // Both halves close by themselves: a client may end its request and still read the answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    for (let port = firstPort; port <= LAST_PORT; port++) {
      if (port !== anothers && (await listens(server, host, port))) return new Forwarder(server, port);
    }
    throw new Error(`no port of ${host} from ${firstPort} to ${LAST_PORT} is free`);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private forward(client: Socket): void {
    this.track(client);
    void this.connectTo(client, this.targets.length);
  }

  /** The next target, and another one when it cannot be reached; without any the client's connection is closed. */
  private async connectTo(client: Socket, tries: number): Promise<void> {
    const target = this.targets[this.turn++ % this.targets.length];
    if (target === undefined || tries === 0) {
      client.destroy();
      return;
    }
    const upstream = await reach(target);
    if (upstream === undefined) return this.connectTo(client, tries - 1);
    if (client.destroyed) {
      upstream.destroy();
      return;
    }
    this.track(upstream);
    client.pipe(upstream);
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  }

  private track(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => {}); // a reset; "close" follows and takes the other side along
    socket.on("close", () => this.sockets.delete(socket));
  }
}

function listens(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" || error.code === "EACCES" ? resolve(false) : reject(error);
    server.once("error", fail);
    server.listen(port, host, () => {
      server.off("error", fail);
      resolve(true);
    });
  });
}

function reach({ address, port }: Endpoint): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true, timeout: CONNECT_TIMEOUT_MS });
    const giveUp = () => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once("timeout", giveUp).once("error", giveUp);
    socket.once("connect", () => {
      socket.setTimeout(0).off("error", giveUp).off("timeout", giveUp);
      resolve(socket);
    });
  });
}
