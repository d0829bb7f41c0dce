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
  return JSON.parse(await textOf("GET", url, { signal })) as T;
}

/** @throws AnswerError */
export function postJson(
  url: string,
  { body, headers }: { body: object; headers: Record<string, string> },
  signal: AbortSignal,
): Promise<string> {
  return textOf("POST", url, { body: JSON.stringify(body), headers, signal });
}

async function textOf(
  method: "GET" | "POST",
  url: string,
  options: { signal: AbortSignal; body?: string; headers?: Record<string, string> },
): Promise<string> {
  const { statusCode, body } = await request(url, { method, ...options });
  const text = await body.text();
  if (statusCode !== 200) throw new AnswerError(`${method} ${url}`, statusCode, text);
  return text;
}
