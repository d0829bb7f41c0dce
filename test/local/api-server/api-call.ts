import { request } from "undici";

export interface Answer {
  code: number;
  // Answers are asserted on field by field; chai reports what is missing.
  body: Record<string, unknown>;
  warnings: string[];
}

interface CallOptions {
  body?: unknown;
  type?: string;
  accept?: string;
  agent?: string;
}

export const mergePatch = "application/merge-patch+json";
export const strategicPatch = "application/strategic-merge-patch+json";
export const jsonPatch = "application/json-patch+json";
export const applyPatch = "application/apply-patch+yaml";

/** One request to an API server, as a client without any library makes it. */
export async function call(url: string, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { body, type = "application/json", accept = "application/json", agent = "tester/1" } = options;
  const answer = await request(url + path, {
    method: method as "GET",
    headers: { accept, "user-agent": agent, ...(body !== undefined && { "content-type": type }) },
    ...(body !== undefined && {
      body: body instanceof Buffer || typeof body === "string" ? body : JSON.stringify(body),
    }),
  });
  const text = await answer.body.text();
  const { warning } = answer.headers;
  const isJson = String(answer.headers["content-type"]).includes("json");
  return {
    code: answer.statusCode,
    body: (isJson ? JSON.parse(text) : { text }) as Answer["body"],
    warnings: warning === undefined ? [] : [warning].flat(),
  };
}

/** The events of a watch, until `enough` of them came or the server ends it. */
export async function watched(
  url: string,
  path: string,
  enough: number,
  during: () => Promise<unknown> = async () => {},
): Promise<Answer["body"][]> {
  const events: Answer["body"][] = [];
  const stopping = new AbortController();
  const answer = await request(url + path, { signal: stopping.signal });
  if (answer.statusCode !== 200) throw new Error(`watch: ${answer.statusCode} ${await answer.body.text()}`);
  const acting = during();
  let rest = "";
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      events.push(...lines.filter(Boolean).map((line) => JSON.parse(line) as Answer["body"]));
      if (events.length >= enough) break;
    }
  } finally {
    stopping.abort();
    await acting;
  }
  return events;
}
