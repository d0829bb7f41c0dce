import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../user-error.ts";
import { AnswerError, postJson } from "./http.ts";
import { exampleQuestion, type Question } from "./question.ts";

const WITHIN_MS = 30_000;
const BETWEEN_TRIES_MS = 250;
/** What a router says that does not know its way yet. */
const NOT_YET = new Set([404, 502, 503, 504]);

export interface Example {
  readonly question: Question;
  readonly answer: string;
}

/**
 * What to ask the model at `url`, and what it answers, asked as the printed curl line asks it; undefined when no question is
 * short enough. Asked again for a while where nobody answers: proxies and routers hear of a pod that is ready a moment later.
 * @throws UserError when there is no prediction
 */
export async function firstExample(
  url: string,
  headers: Record<string, string>,
  interrupted: AbortSignal,
): Promise<Example | undefined> {
  const late = AbortSignal.timeout(WITHIN_MS);
  const signal = AbortSignal.any([interrupted, late]);
  let problem = `no answer within ${WITHIN_MS / 1000} s`;
  for (;;) {
    try {
      const question = await exampleQuestion(url, signal);
      if (question === undefined) return undefined;
      const { path, body } = question;
      return { question, answer: await postJson(url + path, { body, headers }, signal) };
    } catch (error) {
      interrupted.throwIfAborted();
      if (!late.aborted) problem = (error as Error).message;
      if (late.aborted || (error instanceof AnswerError && !NOT_YET.has(error.status)))
        throw new UserError(`${url} does not answer a prediction: ${problem}`, { cause: error });
    }
    await sleep(BETWEEN_TRIES_MS, undefined, { signal }).catch(() => undefined); // the next try tells which of the two it was
  }
}
