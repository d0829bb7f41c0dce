import { expect } from "chai";
import { request } from "undici";

/** The first curl line of a story. */
export function curlOf(story: string): { url: string; path: string; headers: Record<string, string>; body: string } {
  const [, url = "", path = "", rest = "", body = ""] =
    /curl -s (http:\/\/127\.0\.0\.1:\d+)(\S+) (.*) -d '(.*)'\n/.exec(story) ?? [];
  const headers = [...rest.matchAll(/-H '([\w-]+): ([^']*)'/g)].map(([, name = "", value = ""]) => [name, value]);
  return { url, path, headers: Object.fromEntries(headers) as Record<string, string>, body };
}

/** What the printed curl line answers, on a connection of its own as curl's. (This machine may have no curl.) */
export async function asPrinted(story: string): Promise<object> {
  const { url, path, headers, body } = curlOf(story);
  const answer = await request(url + path, { method: "POST", headers, body, reset: true });
  expect(answer.statusCode).to.equal(200);
  return (await answer.body.json()) as object;
}
