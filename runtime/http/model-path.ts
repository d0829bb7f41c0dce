import type { ModelIdentity } from "../served-model.ts";
import { RequestError, requireIdentity } from "./request-error.ts";

/** Throws a RequestError when a path that matched `pattern` (model, then perhaps version) is another model's. */
export function requirePath(identity: ModelIdentity, url: string, pattern: RegExp): void {
  const [, name = "", version = identity.version] = pattern.exec(url.split("?", 1).join()) ?? [];
  requireIdentity(identity, decode(name), decode(version));
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new RequestError(400, "the path is not valid percent-encoding");
  }
}
