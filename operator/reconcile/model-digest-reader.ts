import { request } from "undici";
import { HTTP_PORT } from "../../runtime/contract.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The sha256 that a model's server says of what it loaded; undefined of one that does not say. @throws when none answers */
export async function readModelDigest(
  address: string,
  signal: AbortSignal,
  port = HTTP_PORT,
): Promise<string | undefined> {
  const host = address.includes(":") ? `[${address}]` : address;
  const { statusCode, body } = await request(`http://${host}:${port}/model/info`, { signal });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`/model/info of ${host}:${port} has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (statusCode !== 200) return undefined;
  const info = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { sha256?: unknown } | null;
  const digest = info?.sha256;
  return typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}
