import { expect } from "chai";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline, Readable } from "node:stream";
import { readRouterStatus, RouterStatusError } from "../../../operator/reconcile/router-status.ts";

describe("reading the status of a router", () => {
  let server: Server;

  const failureOf = async (answer: RequestListener): Promise<Error> => {
    server.on("request", answer);
    const { port } = server.address() as AddressInfo;
    return readRouterStatus({ address: "127.0.0.1", port }).then(
      () => expect.fail("the status was read"),
      (error: unknown) => error as Error,
    );
  };

  beforeEach(async () => {
    server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  afterEach(async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
  });

  it("gives up on a router that does not answer", async () => {
    const started = performance.now();
    const error = await failureOf(() => {});
    expect(error).to.be.instanceOf(RouterStatusError);
    expect(performance.now() - started).to.be.within(1_500, 6_000);
  });

  it("does not read an answer without end", async () => {
    const megabyte = Buffer.alloc(1024 * 1024);
    const endless = function* () {
      for (;;) yield megabyte;
    };
    const error = await failureOf((_, response) => pipeline(Readable.from(endless()), response, () => {}));
    expect(error).to.be.instanceOf(RouterStatusError);
    expect(error.message).to.include("more than");
  });

  it("says in one line which router answered something else than Envoy would", async () => {
    const error = await failureOf((_, response) => response.end("{}\n[]"));
    expect(error).to.be.instanceOf(RouterStatusError);
    expect(error.message).to.match(/^reading the status of router http:\/\/127\.0\.0\.1:\d+: .+$/);
  });

  it("says so when nobody listens", async () => {
    const { port } = server.address() as AddressInfo;
    await once(server.close(), "close");
    const read = readRouterStatus({ address: "127.0.0.1", port });
    expect(await read.catch((error: Error) => error.message)).to.include("ECONNREFUSED");
    server.listen(0, "127.0.0.1");
  });
});
