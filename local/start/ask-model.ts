import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { rowOf } from "./model-to-serve.ts";

const TRIES = 40;
const BETWEEN_TRIES_MS = 250;
const TIMEOUT_MS = 5_000;

/** The first prediction, asked as the printed curl line asks it. @throws when there is none after ten seconds */
export async function firstAnswer(
  { url, row, headers }: { url: string; row: object; headers: Record<string, string> },
  signal: AbortSignal,
): Promise<string> {
  let problem = "";
  for (let tries = 0; tries < TRIES; tries++) {
    const { status, text } = await send(`${url}/predict`, signal, { row, headers });
    if (status === 200) return text;
    problem = `${status} ${text}`;
    await sleep(BETWEEN_TRIES_MS, undefined, { signal });
  }
  throw new Error(`${url}/predict does not answer a prediction: ${problem.slice(0, 500)}`);
}

/** A row for a model whose folder told of none, from what the model itself says. */
export async function rowFromModel(url: string, signal: AbortSignal): Promise<object> {
  const { text } = await send(`${url}/model/info`, signal);
  const { features } = JSON.parse(text) as { features?: { name: string; type?: string }[] | null };
  return rowOf(features ?? []);
}

async function send(
  url: string,
  signal: AbortSignal,
  post?: { row: object; headers: Record<string, string> },
): Promise<{ status: number; text: string }> {
  try {
    const answer = await request(url, {
      ...(post !== undefined && { method: "POST", body: JSON.stringify(post.row), headers: post.headers }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  } catch (error) {
    signal.throwIfAborted();
    return { status: 0, text: (error as Error).message };
  }
}
