/** The least that a JSON service on node:http can do: it parses the request and writes an answer of the same size as ours. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const ANSWER = {
  prediction: "approved",
  probability: 0.6227931976318359,
  probabilities: { rejected: 0.37720680236816406, approved: 0.6227931976318359 },
  model_version: "2.0.0",
  model_variant: "default",
  request_id: "01936e2a-7f3c-7d0a-8a2b-6f0f6f1d2c3b",
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
