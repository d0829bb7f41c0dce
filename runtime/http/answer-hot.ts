import type { IncomingMessage, ServerResponse } from "node:http";

import { readBody } from "./body.ts";
import type { BodyBudget } from "./body.ts";
import type { HotEndpoint } from "./hot-endpoint.ts";
import { sendBinary, sendJson } from "./respond.ts";

/** Answers by an endpoint of the hot path what came through node:http. Never rejects. */
export async function answerHot(
  endpoint: HotEndpoint,
  bodies: BodyBudget,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = "", url = "", headers } = request;
  const asked = { method, url, headers, began: performance.now(), isGone: () => response.destroyed };
  const used = new DisposableStack();
  const answer = await endpoint(asked, async () => used.use(await readBody(request, bodies)).bytes);
  if (response.closed) used.dispose();
  else response.once("close", () => used.dispose()); // the answer may hold bytes of the body
  if (answer === undefined) {
    response.destroy();
    return;
  }
  // What remains of a refused body would be taken for the next request.
  const unread = request.complete ? {} : { connection: "close" };
  if (answer.raw) sendBinary(response, answer.json, answer.raw, answer.headers);
  else sendJson(response, answer.status, answer.json, { ...unread, ...answer.headers });
  request.resume();
}
