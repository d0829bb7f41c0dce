import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** A request in the words of RBAC. */
export interface Access {
  /** Undefined: across all namespaces. */
  readonly namespace: string | undefined;
  /** `apps/deployments`, `pods`, `serving.slipway.dev/modeldeployments/status`. */
  readonly resource: string;
  readonly verb: string;
  readonly name: string | undefined;
}

export interface RequestRecording {
  readonly accesses: readonly Access[];
  /** What the API server answered 401 or 403. */
  readonly refused: readonly string[];
  stop(): void;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: unknown;
}

/** Keeps every request that this process sends to an API server as the operator. */
export function recordRequests(): RequestRecording {
  const accesses: Access[] = [];
  const refused: string[] = [];
  const isOperators = ({ headers }: Request): boolean => JSON.stringify(headers).includes("slipway-operator");
  const sent = (message: unknown): void => {
    const { request } = message as { request: Request };
    if (isOperators(request)) accesses.push(accessOf(request));
  };
  const answered = (message: unknown): void => {
    const { request, response } = message as { request: Request; response: { statusCode: number } };
    // A server-side apply of what is not there needs both rights.
    const hasCreated = request.method === "PATCH" && response.statusCode === 201;
    if (isOperators(request) && hasCreated) accesses.push({ ...accessOf(request), verb: "create" });
    const isRefused = response.statusCode === 401 || response.statusCode === 403;
    if (isOperators(request) && isRefused) refused.push(`${request.method} ${request.path}: ${response.statusCode}`);
  };
  subscribe("undici:request:create", sent);
  subscribe("undici:request:headers", answered);
  return {
    accesses,
    refused,
    stop: () => {
      unsubscribe("undici:request:create", sent);
      unsubscribe("undici:request:headers", answered);
    },
  };
}

function accessOf({ method, path }: Request): Access {
  const { pathname, searchParams } = new URL(path, "http://localhost");
  const pattern = /^\/(?:api\/v1|apis\/([^/]+)\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;
  const [, group, namespace, plural, name, subresource] = pattern.exec(pathname) ?? [];
  if (plural === undefined) throw new Error(`${method} ${path} is no request for a resource`);
  const resource = [group, plural, subresource].filter((part) => part !== undefined).join("/");
  return { namespace, resource, verb: verbOf(method, name, searchParams), name };
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): string {
  if (method === "GET" && query.get("watch") === "true") return "watch";
  if (method === "GET") return name === undefined ? "list" : "get";
  return { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" }[method] ?? method;
}
