import { request } from "undici";

const LONGEST_SHOWN = 500;

/** An answer that is none of 200. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
  readonly status: number;

  constructor(what: string, status: number, text: string) {
    super(`${what}: ${status} ${text.slice(0, LONGEST_SHOWN)}`);
    this.status = status;
  }
}

/** @throws AnswerError */
export async function getJson<T>(url: string, signal: AbortSignal): Promise<T> {
  const { statusCode, body } = await request(url, { signal });
  const text = await body.text();
  if (statusCode !== 200) throw new AnswerError(`GET ${url}`, statusCode, text);
  return JSON.parse(text) as T;
}

/** @throws AnswerError */
export async function postJson(
  url: string,
  { body, headers }: { body: object; headers: Record<string, string> },
  signal: AbortSignal,
): Promise<string> {
  const answer = await request(url, { method: "POST", body: JSON.stringify(body), headers, signal });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new AnswerError(`POST ${url}`, answer.statusCode, text);
  return text;
}
