/**
 * The least that docs/runtime-contract.md requires of an image, as a program: what somebody's own container might be.
 * Approves everybody.
 */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

const { HOST, PORT, MODEL_VERSION, MODEL_VARIANT, DRAIN_SECONDS, TERMINATION_MESSAGE_PATH, FAIL_WITH } = process.env;

if (FAIL_WITH !== undefined) {
  writeFileSync(TERMINATION_MESSAGE_PATH ?? "/dev/null", FAIL_WITH);
  process.exit(1);
}

let isDraining = false;
let predictions = 0;

const server = createServer((request, response) => {
  if (isDraining) response.setHeader("connection", "close");
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (request.url === "/health") answer(isDraining ? 503 : 200, { status: isDraining ? "draining" : "ok" });
  else if (request.url === "/metrics") response.end(`ml_predictions_total{prediction="approved"} ${predictions}\n`);
  else if (request.url === "/predict" && request.method === "POST") {
    predictions += 1;
    request.resume();
    answer(200, { prediction: "approved", model_version: MODEL_VERSION, model_variant: MODEL_VARIANT });
  } else answer(404, { detail: "there is /predict, /health and /metrics" });
});
server.listen(Number(PORT), HOST);

process.once("SIGTERM", () => {
  isDraining = true;
  setTimeout(() => server.close(), Number(DRAIN_SECONDS) * 1000);
});
