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

/** Takes `/apis/apps/v1/namespaces/x/deployments/y/scale` apart. */
export function parseRequest(url: string): RequestInfo {
  const { pathname, searchParams: query } = new URL(url, "http://localhost");
  const [root, ...parts] = pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
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
