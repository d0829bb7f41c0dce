import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** The body as it came. */
  readonly bytes: Buffer;
}

/** A TCP connection whose every byte the test chooses. */
export class RawConnection {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #changed: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#changed();
    });
    socket.on("error", () => undefined); // a reset is an end, too
    socket.on("close", () => {
      this.#ended = true;
      this.#changed();
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  /** Whether the other side has closed, or cut, the connection. */
  get isOver(): boolean {
    return this.#ended;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next answer. @throws when the connection ends before it is whole */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const parsed = takeAnswer(this.#received);
      if (parsed) {
        this.#received = parsed.rest;
        return parsed.answer;
      }
      if (this.#ended) throw new Error(`closed after ${JSON.stringify(this.#received.toString("latin1"))}`);
      await this.#change();
    }
  }

  /** Resolves, when the other side has closed, with all answers that came before. */
  async toItsEnd(): Promise<readonly RawAnswer[]> {
    while (!this.#ended) await this.#change();
    const answers: RawAnswer[] = [];
    for (let parsed = takeAnswer(this.#received); parsed; parsed = takeAnswer(this.#received)) {
      answers.push(parsed.answer);
      this.#received = parsed.rest;
    }
    return answers;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Undefined while it is not whole. Answers have a content-length, or no body. */
function takeAnswer(bytes: Buffer): { answer: RawAnswer; rest: Buffer } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [line = "", ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = new Map(
    fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
    }),
  );
  const status = Number(line.split(" ")[1]);
  const bodyEnd = end + 4 + Number(headers.get("content-length") ?? 0);
  if (bytes.length < bodyEnd) return undefined;
  const body = bytes.subarray(end + 4, bodyEnd);
  return {
    answer: { status, headers, body: body.toString("utf8"), bytes: body },
    rest: bytes.subarray(bodyEnd),
  };
}
