import type { ModelIdentity } from "../served-model.ts";
import { RequestError, requireIdentity } from "./request-error.ts";

/**
 * A check that throws a RequestError when a path that matched `pattern` (model, then perhaps version) is another model's.
 * The URL that was right last is known, since nearly all are the same.
 */
export function pathCheck(pattern: RegExp): (identity: ModelIdentity, url: string) => void {
  let known: { readonly identity: ModelIdentity; readonly url: string } | undefined;
  return (identity, url) => {
    if (known?.url === url && known.identity === identity) return;
    const [, name = "", version = identity.version] = pattern.exec(url.split("?", 1).join()) ?? [];
    requireIdentity(identity, decode(name), decode(version));
    known = { identity, url };
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new RequestError(400, "the path is not valid percent-encoding");
  }
}
