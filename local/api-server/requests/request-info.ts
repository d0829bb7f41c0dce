/** What a URL names. `path` keeps what is no resource (discovery, health). */
type RequestInfo =
  | { type: "resource"; target: Target; query: URLSearchParams }
  | { type: "other"; path: string; query: URLSearchParams };

export interface Target {
  group: string;
  version: string;
  plural: string;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

/** Takes `/apis/apps/v1/namespaces/x/deployments/y/scale` apart. Undefined when it is no URL. */
export function parseRequest(url: string): RequestInfo | undefined {
  const parsed = URL.parse(url.startsWith("/") ? `http://localhost${url}` : url);
  const segments = parsed && decoded(parsed.pathname.split("/").filter((part) => part !== ""));
  if (!parsed || !segments) return undefined;
  const { pathname, searchParams: query } = parsed;
  const [root, ...parts] = segments;
  const target =
    root === "api"
      ? resourceTarget("", parts)
      : root === "apis"
        ? resourceTarget(parts[0] ?? "", parts.slice(1))
        : undefined;
  return target
    ? { type: "resource", target, query }
    : { type: "other", path: pathname.replace(/(.)\/$/, "$1"), query };
}

function decoded(segments: readonly string[]): string[] | undefined {
  try {
    return segments.map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function resourceTarget(group: string, parts: readonly string[]): Target | undefined {
  const [version, ...rest] = parts;
  if (version === undefined || rest.length === 0) return undefined;
  const [first = "", second, third, ...deeper] = rest;
  const ofNamespaceItself = third === undefined || third === "status" || third === "finalize";
  if (first === "namespaces" && second !== undefined && !ofNamespaceItself) {
    const [name, ...subresource] = deeper;
    return { group, version, plural: third, namespace: second, name, subresource: subresource.join("/") || undefined };
  }
  const subresource = rest.slice(2).join("/") || undefined;
  return { group, version, plural: first, namespace: undefined, name: second, subresource };
}
