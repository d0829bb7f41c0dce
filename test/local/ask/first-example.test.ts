import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { firstExample } from "../../../local/ask/first-example.ts";

const row = { age: 65 };
const openApi = {
  paths: { "/predict": { post: { requestBody: { content: { "application/json": { example: row } } } } } },
};

describe("the first example", () => {
  const servers = new AsyncDisposableStack();
  const serve = async (answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> => {
    const server = createServer(answer).listen(0, "127.0.0.1");
    servers.defer(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    });
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  after(() => servers.disposeAsync());

  it("is asked again while nobody is there to answer", async () => {
    const refusals = ["cut", 503, "cut", 404];
    const url = await serve((request, response) => {
      const refusal = refusals.shift();
      if (refusal === "cut") request.destroy();
      else if (refusal !== undefined) response.writeHead(Number(refusal)).end();
      else response.end(request.url === "/openapi.json" ? JSON.stringify(openApi) : "approved");
    });
    const example = await firstExample(url, {}, new AbortController().signal);
    expect(example).to.deep.equal({ question: { path: "/predict", body: row }, answer: "approved" });
    expect(refusals).to.deep.equal([]);
  });

  it("is given up when the model refuses its own question, and says how", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/openapi.json") response.end(JSON.stringify(openApi));
      else response.writeHead(422).end("age: too old");
    });
    const failure = await firstExample(url, {}, new AbortController().signal).catch((error: unknown) => error);
    expect(failure).to.include({
      name: "UserError",
      message: `${url} does not answer a prediction: POST ${url}/predict: 422 age: too old`,
    });
  });

  it("ends with its interruption", async () => {
    const interruption = new AbortController();
    const url = await serve((_request, response) => {
      response.writeHead(503).end();
      interruption.abort(new Error("Ctrl-C"));
    });
    const failure = await firstExample(url, {}, interruption.signal).catch((error: unknown) => error);
    expect(failure).to.equal(interruption.signal.reason);
  });
});
