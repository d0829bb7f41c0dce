import { request } from "undici";
import { z } from "zod";
import { HTTP_PORT } from "../../runtime/contract.ts";
import type { LoadedModel } from "../plan/observed.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Of what /model/info says, what matters here; servers other than the runtime may leave out or mean otherwise any of it. */
const info = z.object({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .catch(undefined),
  features: z
    .array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() }))
    .optional()
    .catch(undefined),
});

/** What a model's server says of what it loaded: nothing, if it does not know. @throws when none answers */
export async function readLoadedModel(address: string, signal: AbortSignal, port = HTTP_PORT): Promise<LoadedModel> {
  const host = address.includes(":") ? `[${address}]` : address;
  const { statusCode, body } = await request(`http://${host}:${port}/model/info`, { signal });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`/model/info of ${host}:${port} has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (statusCode !== 200) return {};
  const parsed = info.safeParse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
  const { sha256, features } = parsed.data ?? {};
  return { ...(sha256 !== undefined && { sha256 }), ...(features && { features }) };
}
