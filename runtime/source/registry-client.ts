import * as z from "zod";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { readDocument } from "./http.ts";
import type { HttpAccess } from "./http.ts";
import { isLoopback, requireAllowedUrl } from "./location.ts";

interface Repository {
  readonly uri: string;
  readonly registry: string;
  readonly repository: string;
}

type RegistryConfig = Pick<Config, "allowHttp" | "ociUsername" | "ociPassword" | "ociDockerConfig" | "ociPlainHttp">;

const TOKEN = z.object({ token: z.string().optional(), access_token: z.string().optional() });
const DOCKER_CONFIG = z.object({
  auths: z.record(
    z.string(),
    z.object({ auth: z.string().optional(), username: z.string().optional(), password: z.string().optional() }),
  ),
});

/** Docker Hub's images are named after another host than the one that serves them. */
const SERVING_HOSTS: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" };

/** One repository of a registry, and the token that it asks for on the way. */
export class RegistryClient {
  readonly #base: string;
  readonly #basic: string | undefined;
  readonly #repository: Repository;
  readonly #allowHttp: boolean;
  #authorization: string | undefined;

  constructor(repository: Repository, config: RegistryConfig) {
    const { registry, uri } = repository;
    const host = SERVING_HOSTS[registry] ?? registry;
    const plain = config.ociPlainHttp || isLoopback(new URL(`http://${host}`).hostname);
    this.#base = `${plain ? "http" : "https"}://${host}/v2/${repository.repository}`;
    this.#basic = credentials(registry, config, uri);
    this.#repository = repository;
    this.#allowHttp = config.allowHttp || config.ociPlainHttp;
    requireAllowedUrl(new URL(this.#base), this.#allowHttp, uri);
  }

  url(path: string): URL {
    return new URL(`${this.#base}/${path}`);
  }

  /** Asks without authorization first: only the registry's refusal says which kind it wants. */
  async authorized<T>(ask: (access: HttpAccess) => Promise<T>, signal: AbortSignal): Promise<T> {
    let challenge: string | undefined;
    try {
      return await ask(this.#access((asked) => (challenge = asked)));
    } catch (error) {
      if (challenge === undefined) throw error;
      this.#authorization = await this.#answer(challenge, signal);
      return ask(this.#access());
    }
  }

  #access(onChallenge?: (challenge: string) => void): HttpAccess {
    const { uri, repository, registry } = this.#repository;
    return {
      uri,
      allowHttp: this.#allowHttp,
      authorization: this.#authorization,
      hint: `check that ${repository} exists at ${registry}, and the secret's OCI_USERNAME and OCI_PASSWORD, or its .dockerconfigjson`,
      ...(onChallenge && { onChallenge }),
    };
  }

  async #answer(challenge: string, signal: AbortSignal): Promise<string | undefined> {
    if (!/^bearer\b/i.test(challenge)) return this.#basic;
    const { uri, repository } = this.#repository;
    const parameters = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    const realm = URL.parse(parameters["realm"] ?? "");
    if (realm === null)
      throw new LoadError("SourceUnavailable", `loading ${uri}: the registry asks for a token and does not say where`, {
        permanent: true,
      });
    requireAllowedUrl(realm, this.#allowHttp, uri);
    if (parameters["service"]) realm.searchParams.set("service", parameters["service"]);
    realm.searchParams.set("scope", parameters["scope"] ?? `repository:${repository}:pull`);
    const answer = await readDocument(realm, { ...this.#access(), authorization: this.#basic }, signal);
    const { token, access_token: accessToken } = TOKEN.parse(answer.json);
    return `Bearer ${token ?? accessToken ?? ""}`;
  }
}

function credentials(registry: string, config: RegistryConfig, uri: string): string | undefined {
  const { ociUsername, ociPassword, ociDockerConfig } = config;
  if (ociUsername !== undefined || ociPassword !== undefined) return basic(ociUsername ?? "", ociPassword ?? "");
  if (ociDockerConfig === undefined) return undefined;
  const entry = Object.entries(dockerConfig(ociDockerConfig, uri).auths).find(([key]) => hostOf(key) === registry)?.[1];
  if (entry === undefined) return undefined;
  return entry.auth === undefined ? basic(entry.username ?? "", entry.password ?? "") : `Basic ${entry.auth}`;
}

function dockerConfig(text: string, uri: string): z.infer<typeof DOCKER_CONFIG> {
  try {
    return DOCKER_CONFIG.parse(JSON.parse(text));
  } catch {
    // Not the cause: it could quote the secret.
    throw new LoadError(
      "InvalidConfiguration",
      `loading ${uri}: .dockerconfigjson is not a Docker config with "auths"`,
    );
  }
}

/** Keys are hosts, or addresses such as `https://index.docker.io/v1/`. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "index.docker.io" ? "docker.io" : host;
}

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
