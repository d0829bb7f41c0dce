import { request } from "undici";

export interface PodAnswer {
  readonly status: number;
  readonly body: string;
}

/** The origin of a pod's port. */
export function podOrigin(address: string, port: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/**
 * What a pod answers to a GET. Users choose what runs in their pods, so that no answer may fill the memory.
 * @throws when it does not answer, or has more than `maxBytes` to say
 */
export async function readPodAnswer(url: string, maxBytes: number, signal: AbortSignal): Promise<PodAnswer> {
  const { statusCode, body } = await request(url, { signal });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`${url} answered more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: statusCode, body: Buffer.concat(chunks).toString("utf8") };
}
