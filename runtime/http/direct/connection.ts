import type { Socket } from "node:net";

import { isAt } from "../../bytes-at.ts";
import type { BodyBudget } from "../body.ts";
import type { HotEndpoint, HotResponse } from "../hot-endpoint.ts";
import { refuse } from "../refuse.ts";
import { readRequestHead } from "./request-head.ts";
import type { RequestHead } from "./request-head.ts";
import { writeResponse } from "./write-response.ts";

export interface ConnectionOptions {
  /** The endpoint at a path; undefined when the path is not on the hot path. */
  readonly route: (path: string) => HotEndpoint | undefined;
  readonly bodies: BodyBudget;
  /** Whether a connection's next answer is its last. */
  readonly isLast: (socket: Socket) => boolean;
  /** Lets node:http serve the connection from here on; what is unread is in the socket. */
  readonly handOver: (socket: Socket) => void;
  /** Told when a connection is closed or handed over. */
  readonly onLeave: (connection: DirectConnection) => void;
  readonly timeouts: Timeouts;
}

/** In milliseconds; kept to the precision of the calls of `check`. */
interface Timeouts {
  /** For the first bytes on a connection. */
  readonly head: number;
  /** For the rest of a request whose head is here. Then it is node:http's, which has more patience. */
  readonly body: number;
  /** For the client to read its answers. */
  readonly flush: number;
  /** Between two requests. */
  readonly keepAlive: number;
}

/** A head that we can answer to. */
interface Understood {
  readonly head: RequestHead;
  readonly endpoint: HotEndpoint;
  /** The head as it was sent. */
  readonly bytes: Buffer;
}

/** A request whose body is on its way. */
interface Incoming {
  readonly asked: Understood;
  readonly began: number;
  /** All bytes since the beginning of the head. */
  readonly pieces: Buffer[];
  size: number;
}

/** A small body that comes in more pieces is dribbled. */
const MAX_PIECES = 64;

/**
 * fresh: nothing was sent yet. idle: between two requests. receiving: a body is on its way. answering: the endpoint
 * works. flushing: the client has not read its answers. over: closed, or node:http's.
 */
type Phase = "fresh" | "idle" | "receiving" | "answering" | "flushing" | "over";

/**
 * A connection whose plain requests are read straight off the socket and answered in one write, one after the other.
 * The first bytes that are not plainly such a request make the rest of the connection node:http's, unread bytes
 * included: whatever is unusual is interpreted in one place only.
 */
export class DirectConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  #phase: Phase = "fresh";
  /** When the phase, or the request that it is part of, began. */
  #since = performance.now();
  /** Clients send the same head again and again; to compare it costs less than to read it. */
  #understood: Understood | undefined;
  #incoming: Incoming | undefined;
  /** What came after the request that is being answered. The socket is paused while there is such. */
  #unread: Buffer | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", this.#onData).on("drain", this.#onDrain).on("end", this.#onEnd);
    socket.on("error", ignore).on("close", this.#leave);
  }

  /** Ends what takes too long. */
  check(now: number): void {
    const { head, body, flush, keepAlive } = this.#options.timeouts;
    const waited = now - this.#since;
    if (this.#phase === "fresh" && waited > head) this.#refuse("408 Request Timeout");
    else if (this.#phase === "receiving" && waited > body) this.#handOver(this.#received());
    else if (this.#phase === "flushing" && waited > flush) this.#socket.destroy();
    else if (this.#phase === "idle" && waited > keepAlive) this.#socket.destroy();
  }

  closeIfIdle(): void {
    if (this.#phase === "idle") this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#phase === "fresh" || this.#phase === "idle") {
      this.#read(chunk);
    } else if (this.#phase === "receiving") {
      this.#receive(chunk);
    } else {
      this.#keepUnread(chunk);
    }
  };

  /** `bytes` begin with a request. */
  #read(bytes: Buffer): void {
    const asked = this.#understand(bytes);
    if (asked === undefined) {
      this.#handOver(bytes);
      return;
    }
    this.#understood = asked;
    const began = performance.now();
    this.#since = began;
    const { size } = asked.head;
    if (bytes.length >= size) {
      this.#answer(asked, began, bytes);
      return;
    }
    this.#incoming = { asked, began, pieces: [bytes], size: bytes.length };
    this.#phase = "receiving";
    if (!this.#options.bodies.hold(size)) this.#handOver(this.#received());
  }

  #understand(bytes: Buffer): Understood | undefined {
    const last = this.#understood;
    if (last !== undefined && isAt(bytes, 0, last.bytes)) return last;
    const head = readRequestHead(bytes);
    if (head === undefined || head.size - head.bodyStart > this.#options.bodies.maxBytes) return undefined;
    const endpoint = this.#options.route(head.path);
    return endpoint && { head, endpoint, bytes: Buffer.from(bytes.subarray(0, head.bodyStart)) };
  }

  #receive(chunk: Buffer): void {
    const incoming = this.#incoming as Incoming;
    incoming.pieces.push(chunk);
    incoming.size += chunk.length;
    if (incoming.size >= incoming.asked.head.size) this.#answer(incoming.asked, incoming.began, this.#received());
    else if (incoming.pieces.length >= MAX_PIECES) this.#handOver(this.#received());
  }

  /** Takes the bytes of the incoming request. */
  #received(): Buffer {
    const { asked, pieces } = this.#incoming as Incoming;
    this.#incoming = undefined;
    this.#options.bodies.release(asked.head.size);
    return Buffer.concat(pieces);
  }

  /** `bytes` begin with the whole request. */
  #answer({ head, endpoint }: Understood, began: number, bytes: Buffer): void {
    const { url, headers, bodyStart, size } = head;
    this.#phase = "answering";
    if (bytes.length > size) this.#keepUnread(bytes.subarray(size));
    const request = { method: "POST", url, headers, began, isGone: this.#isGone };
    void endpoint(request, bytes.subarray(bodyStart, size)).then(this.#respond);
  }

  #keepUnread(bytes: Buffer): void {
    this.#unread = this.#unread ? Buffer.concat([this.#unread, bytes]) : bytes;
    this.#socket.pause();
  }

  readonly #respond = (response: HotResponse | undefined): void => {
    const { isLast, timeouts } = this.#options;
    if (response === undefined || this.#isGone()) {
      this.#socket.destroy();
      return;
    }
    const closes = isLast(this.#socket) || response.headers["connection"] === "close";
    const isFlushed = writeResponse(this.#socket, response, closes ? undefined : timeouts.keepAlive);
    if (closes) {
      this.#socket.destroySoon();
      return;
    }
    this.#phase = isFlushed ? "idle" : "flushing";
    if (isFlushed) this.#continue();
    else this.#socket.pause(); // who does not read answers shall not ask for more
  };

  readonly #onDrain = (): void => {
    if (this.#phase !== "flushing") return;
    this.#phase = "idle";
    this.#continue();
  };

  /** With the next request, if it is here. */
  #continue(): void {
    const bytes = this.#unread;
    this.#unread = undefined;
    if (bytes !== undefined) this.#read(bytes);
    const waits = this.#phase === "idle" || this.#phase === "receiving";
    if (waits && this.#socket.isPaused()) this.#socket.resume();
  }

  /** The client says that it will send no more. As with node:http, it then gets no answer either. */
  readonly #onEnd = (): void => {
    if (this.#phase === "receiving") this.#refuse("400 Bad Request");
    else this.#socket.end();
  };

  #refuse(status: string): void {
    this.#leave();
    refuse(this.#socket, status);
  }

  #handOver(unread: Buffer): void {
    this.#leave();
    const socket = this.#socket;
    socket.off("data", this.#onData).off("drain", this.#onDrain).off("end", this.#onEnd);
    socket.off("error", ignore).off("close", this.#leave);
    socket.pause();
    socket.unshift(unread);
    this.#options.handOver(socket);
    socket.resume();
  }

  readonly #leave = (): void => {
    if (this.#incoming) this.#received();
    this.#phase = "over";
    this.#options.onLeave(this);
  };

  readonly #isGone = (): boolean => this.#socket.destroyed || this.#socket.writableEnded;
}

const ignore = (): void => undefined;
