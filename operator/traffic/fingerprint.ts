import { createHash } from "node:crypto";

/** 16 hex digits that change when the config does: how a router says which one it has. */
export function fingerprint(config: unknown): string {
  return createHash("sha256").update(JSON.stringify(config)).digest("hex").slice(0, 16);
}
