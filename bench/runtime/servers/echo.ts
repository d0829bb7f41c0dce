/** The least that a JSON service on node:http can do: it parses the request and writes an answer like ours. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const ANSWER = {
  prediction: "approved",
  probability: 0.757991373538971,
  probabilities: { rejected: 0.24200862646102905, approved: 0.757991373538971 },
  model_version: "2.0.0",
  model_variant: "default",
  request_id: "01a204d5-dc44-7425-ab58-61316b91776d.WyIyLjAuMCIsIiIsImMiLCJhcHByb3ZlZCJd",
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as object;
    const json = JSON.stringify({ ...ANSWER, prediction: "age" in body ? "approved" : "rejected" });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(json) });
    response.end(json);
  });
}).listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as AddressInfo).port}`));
