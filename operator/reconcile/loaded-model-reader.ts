import { z } from "zod";
import { HTTP_PORT } from "../../runtime/contract.ts";
import type { LoadedModel } from "../plan/observed.ts";
import { podOrigin, readPodAnswer } from "./pod-answer.ts";

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
  const { status, body } = await readPodAnswer(`${podOrigin(address, port)}/model/info`, MAX_BODY_BYTES, signal);
  if (status !== 200) return {};
  const parsed = info.safeParse(JSON.parse(body));
  const { sha256, features } = parsed.data ?? {};
  return { ...(sha256 !== undefined && { sha256 }), ...(features && { features }) };
}
