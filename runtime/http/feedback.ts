import type { IncomingMessage, ServerResponse } from "node:http";

import type { Logger } from "pino";
import * as z from "zod";

import type { PredictionIds } from "../feedback/prediction-id.ts";
import type { CountFeedback, RefusedFeedback } from "../feedback/quality.ts";
import { JSON_TYPE, parseJson, readBody, requireContent } from "./body.ts";
import type { BodyBudget } from "./body.ts";
import { ClientGoneError, RequestError, answerable } from "./request-error.ts";
import { requestId } from "./request-id.ts";
import { sendJson } from "./respond.ts";

const FEEDBACK = z.object({ request_id: z.string().max(4096), truth: z.unknown() });
const BODY = z.union(
  [
    FEEDBACK.transform((single) => [single]),
    z.object({ feedback: z.array(FEEDBACK).min(1).max(10_000) }).transform(({ feedback }) => feedback),
  ],
  {
    error: 'expected {"request_id", "truth"}, or {"feedback": [{"request_id", "truth"}, …]} with at most 10000 of them',
  },
);

const MESSAGES: Readonly<Record<RefusedFeedback, string>> = {
  not_self_describing: "this request_id says nothing of its answer: it was given by the caller, or had too many rows",
  malformed: "this request_id is damaged",
  forged: "this request_id was not signed with our key",
  expired: "this request_id is too old",
  mismatch: "truth must be one label or number, or a list of as many as there were rows",
  duplicate: "the truth for this request_id is known already",
  too_many_versions: "there is feedback for too many versions already",
};

export interface FeedbackOptions {
  readonly ids: PredictionIds;
  readonly countFeedback: CountFeedback;
  readonly bodies: BodyBudget;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** POST /feedback: what was true, for answers that any pod gave. The handler answers everything itself. */
export function feedbackEndpoint(
  options: FeedbackOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { ids, countFeedback, bodies, logger, now } = options;

  const handle = async (request: IncomingMessage): Promise<{ status: number; body: object }> => {
    if (request.method !== "POST") {
      throw new RequestError(405, `${request.method} is not supported here: use POST`, { headers: { allow: "POST" } });
    }
    requireContent(request.headers, [JSON_TYPE], 'send JSON with "content-type: application/json"');
    using body = await readBody(request, bodies);
    const parsed = BODY.safeParse(parseJson(body.bytes));
    if (!parsed.success) throw new RequestError(422, parsed.error.issues[0]?.message ?? "no feedback");
    const feedback = parsed.data.map(({ request_id: id, truth }) => ({ id, record: ids.read(id, now()), truth }));
    const reasons = await countFeedback(feedback);
    const refused = feedback.flatMap(({ id: request_id }, index) => {
      const reason = reasons[index];
      return reason === undefined ? [] : [{ request_id, reason, message: MESSAGES[reason] }];
    });
    const accepted = parsed.data.length - refused.length;
    return { status: accepted > 0 ? 200 : 422, body: { accepted, refused } };
  };

  return async (request, response) => {
    const id = requestId(request.headers);
    try {
      const { status, body } = await handle(request);
      sendJson(response, status, JSON.stringify(body), { "x-request-id": id });
    } catch (thrown) {
      if (thrown instanceof ClientGoneError) {
        response.destroy();
        return;
      }
      const { status, message, headers, reason } = answerable(thrown);
      if (reason === "internal") logger.error({ request_id: id, err: thrown }, "feedback failed");
      const unread = request.complete ? {} : { connection: "close" };
      sendJson(response, status, JSON.stringify({ detail: message }), { ...unread, ...headers, "x-request-id": id });
      request.resume();
    }
  };
}
