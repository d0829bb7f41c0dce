import type { Question } from "./question.ts";

interface Line extends Question {
  readonly url: string;
  readonly stickyHeader?: string | undefined;
}

/** To be pasted into a POSIX shell. */
export function curlLine({ url, path, body, stickyHeader }: Line): string {
  const headers = Object.entries(requestHeaders(stickyHeader)).map(([name, value]) => `${name}: ${value}`);
  const flags = headers.map((header) => `-H ${quote(header)}`).join(" ");
  return `curl -s ${quote(url + path)} ${flags} -d ${quote(JSON.stringify(body))}`;
}

/** As some user, so that asking again meets the same version again. */
export function requestHeaders(stickyHeader?: string): Record<string, string> {
  return { "content-type": "application/json", ...(stickyHeader !== undefined && { [stickyHeader]: "alice" }) };
}

export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
