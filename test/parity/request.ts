/** One request to both servers. In `path` and `body`, `{ns}` stands for the case's namespace. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Content-Type of the body. */
  readonly type?: string;
  readonly accept?: string;
  readonly agent?: string;
  readonly ifNoneMatch?: string;
  /** The part of the answer that is compared, where the whole holds what only one of the servers has. */
  readonly part?: (body: unknown) => unknown;
  readonly watch?: Watch;
  /** Controllers take their time: the request is sent again until its answer is so. */
  readonly until?: (answer: Answer) => boolean;
}

interface Watch {
  /** How many events to wait for; the watch that has them is closed. More than there will be: the server must end it. */
  readonly events: number;
  /** What happens once the watch is open. */
  readonly during: readonly Step[];
}

/** A server's answer as it came; what may differ is masked when answers are compared. */
export interface Answer {
  readonly code: number;
  readonly headers: { readonly contentType: string; readonly warnings: string };
  readonly body: unknown;
  /** Not compared: each server counts its own. */
  readonly etag?: string;
  readonly location?: string;
}

/** A request, or how to make one from the answers that the same server gave before. */
export type Step = Request | ((answers: readonly Answer[]) => Request);

const jsonPatchType = "application/json-patch+json";
const mergePatchType = "application/merge-patch+json";
const strategicPatchType = "application/strategic-merge-patch+json";
const applyPatchType = "application/apply-patch+yaml";
export const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

export function get(path: string, more: Partial<Request> = {}): Request {
  return { method: "GET", path, ...more };
}

export function post(path: string, body: unknown, more: Partial<Request> = {}): Request {
  return { method: "POST", path, body, ...more };
}

export function put(path: string, body: unknown, more: Partial<Request> = {}): Request {
  return { method: "PUT", path, body, ...more };
}

export function remove(path: string, body?: unknown, more: Partial<Request> = {}): Request {
  return { method: "DELETE", path, ...(body !== undefined && { body }), ...more };
}

export function jsonPatch(path: string, operations: unknown, more: Partial<Request> = {}): Request {
  return { method: "PATCH", path, body: operations, type: jsonPatchType, ...more };
}

export function mergePatch(path: string, patch: unknown, more: Partial<Request> = {}): Request {
  return { method: "PATCH", path, body: patch, type: mergePatchType, ...more };
}

export function strategicPatch(path: string, patch: unknown, more: Partial<Request> = {}): Request {
  return { method: "PATCH", path, body: patch, type: strategicPatchType, ...more };
}

/** A server-side apply by `manager`; `options` are further query parameters. */
export function apply(path: string, manager: string, body: unknown, options = ""): Request {
  const query = `fieldManager=${manager}${options && `&${options}`}`;
  return { method: "PATCH", path: `${path}${path.includes("?") ? "&" : "?"}${query}`, body, type: applyPatchType };
}

export function watch(
  path: string,
  events: number,
  during: readonly Step[] = [],
  more: Partial<Request> = {},
): Request {
  return { method: "GET", path, watch: { events, during }, ...more };
}

/** Asks for an object until it is gone. */
export function gone(path: string): Request {
  return get(path, { until: ({ code }) => code === 404 });
}

/** The path of a namespaced object, or of its collection without a name. */
export function configMap(name?: string): string {
  return `/api/v1/namespaces/{ns}/configmaps${name === undefined ? "" : `/${name}`}`;
}

export function service(name?: string): string {
  return `/api/v1/namespaces/{ns}/services${name === undefined ? "" : `/${name}`}`;
}

export function deployment(name?: string): string {
  return `/apis/apps/v1/namespaces/{ns}/deployments${name === undefined ? "" : `/${name}`}`;
}

/** A ConfigMap's body. */
export function configMapOf(name: string, data?: object, metadata: object = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, ...(data && { data }) };
}

/** A Deployment's body with one container; `spec` adds to its spec. */
export function deploymentOf(name: string, spec: object = {}): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "main", image: "example.com/main:1" }] },
      },
      ...spec,
    },
  };
}

/** The body of the answer to the last step, or to step `index`, changed as `change` says. */
export function answered(answers: readonly Answer[], index = -1): Record<string, unknown> {
  return answers.at(index)?.body as Record<string, unknown>;
}

/** A field of an answer's metadata. */
export function metadataOf(answers: readonly Answer[], field: string, index = -1): string {
  const { [field]: value } = answered(answers, index)["metadata"] as Record<string, unknown>;
  return String(value);
}

/** A pod's body with one container; `spec` adds to its spec. What a cluster's admission would add is there already. */
export function podOf(name: string, spec: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      serviceAccountName: "default",
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: "example.com/main:1" }],
      ...spec,
    },
  };
}
