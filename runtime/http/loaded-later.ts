import type { IncomingMessage, ServerResponse } from "node:http";

import type { Logger } from "pino";

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A handler whose code is loaded by its first request, or by `load` before that: what is seldom asked delays no start. */
export class LoadedLater {
  readonly #make: () => Promise<Handler>;
  readonly #logger: Logger;
  #handler: Promise<Handler> | undefined;

  constructor(make: () => Promise<Handler>, logger: Logger) {
    this.#make = make;
    this.#logger = logger;
  }

  load(): Promise<Handler> {
    return (this.#handler ??= this.#make());
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    this.load().then(
      (handler) => handler(request, response),
      (error: unknown) => {
        this.#logger.error({ err: error }, "a part of the server cannot be loaded");
        response.writeHead(500, { "content-type": "application/json", connection: "close" });
        response.end('{"error":"internal error; the log has the cause"}');
      },
    );
  };
}
