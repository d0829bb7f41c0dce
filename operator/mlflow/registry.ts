import { Agent, request } from "undici";
import type { Dispatcher } from "undici";
import { isNotFound, KubeError } from "../kube/errors.ts";
import { objectPath } from "../kube/objects.ts";
import type { ResourceType } from "../kube/objects.ts";
import type { KubeClient } from "../kube/transport.ts";
import type { AliasProblem, AliasReference } from "../plan/aliases.ts";
import { HostDeniedError } from "./host-policy.ts";
import type { HostPolicy } from "./host-policy.ts";

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** To one server, however many aliases are followed there. */
const CONNECTIONS = 2;

const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret", namespaced: true };

/** An alias that could not be resolved; the message never holds a credential. */
export class AliasError extends Error {
  override readonly name = "AliasError";
  readonly problem: AliasProblem;

  constructor(problem: AliasProblem, options?: ErrorOptions) {
    super(problem.message, options);
    this.problem = problem;
  }
}

/** Asks MLflow servers (REST API 2.0) what aliases name. */
export class MlflowRegistry {
  readonly #agent: Agent;
  readonly #client: KubeClient;
  readonly #hosts: HostPolicy;

  constructor(client: KubeClient, hosts: HostPolicy) {
    this.#client = client;
    this.#hosts = hosts;
    this.#agent = new Agent({
      connections: CONNECTIONS,
      connect: { lookup: hosts.lookup, timeout: TIMEOUT_MS },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  /** The number of the version that the alias names. @throws AliasError */
  async versionOf(reference: AliasReference, signal: AbortSignal): Promise<string> {
    const { trackingUri, model, alias } = reference;
    const url = new URL(`${trackingUri.replace(/\/+$/, "")}/api/2.0/mlflow/registered-models/alias`);
    url.searchParams.set("name", model);
    url.searchParams.set("alias", alias);
    const attempted = `resolving models:/${model}@${alias} at ${url.origin}`;
    try {
      this.#hosts.check(url.hostname);
      const authorization = await this.#authorization(reference, attempted, signal);
      const { statusCode, body } = await request(url, {
        dispatcher: this.#agent,
        signal,
        headers: { accept: "application/json", ...(authorization !== undefined && { authorization }) },
      });
      return versionIn(statusCode, await body.text(), attempted);
    } catch (error) {
      if (error instanceof AliasError || signal.aborted) throw error;
      throw unreachable(error, attempted);
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #authorization(reference: AliasReference, attempted: string, signal: AbortSignal): Promise<string | undefined> {
    const { secret, namespace } = reference;
    if (secret === undefined) return undefined;
    const path = objectPath(secrets, { namespace, name: secret });
    const { data = {} } = await this.#client
      .request<{ data?: Record<string, string> }>("GET", path, { signal, timeoutMs: TIMEOUT_MS })
      .catch((error: unknown) => {
        throw unreadableSecret(error, reference, attempted);
      });
    const value = (key: string): string | undefined =>
      data[key] === undefined ? undefined : Buffer.from(data[key], "base64").toString("utf8");
    const token = value("MLFLOW_TRACKING_TOKEN");
    if (token !== undefined) return `Bearer ${token}`;
    const [user, password] = [value("MLFLOW_TRACKING_USERNAME"), value("MLFLOW_TRACKING_PASSWORD")];
    if (user === undefined && password === undefined) return undefined;
    return `Basic ${Buffer.from(`${user ?? ""}:${password ?? ""}`).toString("base64")}`;
  }
}

function versionIn(status: Dispatcher.ResponseData["statusCode"], text: string, attempted: string): string {
  if (status === 401 || status === 403)
    throw new AliasError({
      reason: "AccessDenied",
      message: `${attempted}: the server answers ${status}; check source.mlflow.secretRef`,
    });
  // MLflow answers 400 for an alias that a model does not have, 404 for a model that is not there.
  if (status === 400 || status === 404)
    throw new AliasError({
      reason: "ArtifactNotFound",
      message: `${attempted}: there is no such model or alias; check source.uri, or set the alias in MLflow`,
    });
  const version = status === 200 ? versionField(text) : undefined;
  if (version !== undefined) return version;
  throw new AliasError({
    reason: "RegistryUnavailable",
    message: `${attempted}: the server answers ${status}${status === 200 ? ", but not as MLflow does" : ""}`,
  });
}

function versionField(text: string): string | undefined {
  try {
    const { model_version: found } = JSON.parse(text) as { model_version?: { version?: string | number } | null };
    const version = `${found?.version ?? ""}`;
    return /^\d{1,18}$/.test(version) ? version : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function unreadableSecret(error: unknown, { namespace, secret }: AliasReference, attempted: string): unknown {
  const problem = (message: string): AliasError =>
    new AliasError({ reason: "AccessDenied", message: `${attempted}: ${message}` }, { cause: error });
  if (isNotFound(error)) return problem(`there is no Secret ${secret}; create it, or change source.mlflow.secretRef`);
  if (error instanceof KubeError && error.status === 403)
    return problem(`the operator may not read Secret ${namespace}/${secret}; give it a Role that lets it get this one`);
  return error;
}

function unreachable(error: unknown, attempted: string): AliasError {
  const denied = [error, (error as Error).cause].find((each) => each instanceof HostDeniedError);
  if (denied !== undefined)
    return new AliasError({ reason: "AccessDenied", message: `${attempted}: ${denied.message}` }, { cause: error });
  const message = error instanceof Error ? error.message.replaceAll(/\s+/g, " ") : String(error);
  return new AliasError({ reason: "RegistryUnavailable", message: `${attempted}: ${message}` }, { cause: error });
}
