import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { UserError } from "../user-error.ts";
import type { Question } from "./question.ts";

const TRIES = 40;
const BETWEEN_TRIES_MS = 250;
const TIMEOUT_MS = 5_000;

interface Ask extends Question {
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** The first prediction, asked as the printed curl line asks it. @throws UserError when there is none after ten seconds */
export async function firstAnswer(ask: Ask, signal: AbortSignal): Promise<string> {
  let problem = "";
  for (let tries = 0; tries < TRIES; tries++) {
    const { status, text } = await send(ask, signal);
    if (status === 200) return text;
    problem = `${status} ${text}`;
    await sleep(BETWEEN_TRIES_MS, undefined, { signal });
  }
  throw new UserError(`${ask.url}${ask.path} does not answer a prediction: ${problem.slice(0, 500)}`);
}

async function send({ url, path, body, headers }: Ask, signal: AbortSignal): Promise<{ status: number; text: string }> {
  try {
    const answer = await request(url + path, {
      method: "POST",
      body: JSON.stringify(body),
      headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    signal.throwIfAborted();
    return { status: 0, text: (error as Error).message };
  }
}
