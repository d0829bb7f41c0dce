import { HTTP_PORT } from "../../runtime/contract.ts";
import { podOrigin, readPodAnswer } from "./pod-answer.ts";

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The sha256 that a model's server says of what it loaded; undefined of one that does not say. @throws when none answers */
export async function readModelDigest(
  address: string,
  signal: AbortSignal,
  port = HTTP_PORT,
): Promise<string | undefined> {
  const { status, body } = await readPodAnswer(`${podOrigin(address, port)}/model/info`, MAX_BODY_BYTES, signal);
  if (status !== 200) return undefined;
  const info = JSON.parse(body) as { sha256?: unknown } | null;
  const digest = info?.sha256;
  return typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}
