import { isIP } from "node:net";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { SOURCES } from "../config.ts";
import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { isLinkLocal } from "./link-local.ts";
import type { MlflowReference } from "./mlflow.ts";
import { requireSafePath } from "./safe-path.ts";

/** An address of a kind that is downloaded. */
export type RemoteLocation = Exclude<Location, { kind: "configmap" | "pvc" }>;

/** Where the artifact is. `uri` is how messages show it: without credentials. */
export type Location =
  | { readonly kind: "path"; readonly uri: string; readonly path: string }
  | { readonly kind: "configmap"; readonly uri: string; readonly path: string; readonly name: string }
  | {
      readonly kind: "pvc";
      readonly uri: string;
      readonly path: string;
      readonly mount: string;
      readonly claim: string;
    }
  | {
      readonly kind: "hf";
      readonly uri: string;
      readonly repository: string;
      readonly revision: string;
      readonly path: string;
    }
  | {
      readonly kind: "oci";
      readonly uri: string;
      readonly registry: string;
      readonly repository: string;
      readonly reference: string;
    }
  | { readonly kind: "mlflow"; readonly uri: string; readonly reference: MlflowReference }
  | { readonly kind: "http"; readonly uri: string; readonly url: URL }
  | { readonly kind: "s3" | "gs" | "az"; readonly uri: string; readonly bucket: string; readonly key: string };

const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
const BUCKET = /^[a-z0-9][a-z0-9._-]{0,254}$/i;
const HF = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([\w.-]+))?(?:\/(.*))?$/i;
const OCI =
  /^oci:\/\/([a-z0-9.-]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/i;
const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Throws a LoadError: UnsupportedSource, or InvalidConfiguration for a malformed address. */
export function parseLocation(
  uri: string,
  config: Pick<Config, "configMapRoot" | "claimRoot" | "allowHttp">,
): Location {
  const shown = redactUri(uri);
  const scheme = SCHEME.exec(uri)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return { kind: "path", uri: shown, path: resolve(uri) };
    case "file":
      return { kind: "path", uri: shown, path: filePath(uri, shown) };
    case "configmap": {
      const name = uri.slice("configmap://".length).replace(/\/$/, "");
      if (!uri.startsWith("configmap://") || !OBJECT_NAME.test(name))
        throw malformed(shown, "expected configmap://NAME");
      return { kind: "configmap", uri: shown, path: join(config.configMapRoot, name), name };
    }
    case "https":
    case "http": {
      const url = parseUrl(uri, shown);
      requireAllowedUrl(url, config.allowHttp, shown);
      return { kind: "http", uri: shown, url };
    }
    case "s3":
    case "gs":
    case "az": {
      const [, bucket = "", key = ""] = /^\w+:\/\/([^/]*)\/?(.*)$/i.exec(uri) ?? [];
      if (!BUCKET.test(bucket))
        throw malformed(shown, `expected ${scheme}://BUCKET/PREFIX/ or ${scheme}://BUCKET/KEY.onnx`);
      return { kind: scheme, uri: shown, bucket, key };
    }
    case "pvc": {
      const [, claim = "", path = ""] = /^pvc:\/\/([^/]*)(?:\/(.*))?$/i.exec(uri) ?? [];
      if (!OBJECT_NAME.test(claim)) throw malformed(shown, "expected pvc://CLAIM/PATH");
      const mount = join(config.claimRoot, claim);
      const inner = path.replace(/\/+$/, "");
      return {
        kind: "pvc",
        uri: shown,
        mount,
        claim,
        path: inner ? join(mount, requireSafePath(inner, shown)) : mount,
      };
    }
    case "hf": {
      const [, repository = "", revision = "main", path = ""] = HF.exec(uri) ?? [];
      if (repository === "" || /(?:^|\/)\.\.?(?:\/|$)/.test(`${repository}/${path}`))
        throw malformed(shown, "expected hf://ORG/REPO[@REVISION][/FOLDER]");
      return { kind: "hf", uri: shown, repository, revision, path: path.replace(/\/+$/, "") };
    }
    case "oci": {
      const [, registry = "", repository = "", tag = "latest", digest] = OCI.exec(uri) ?? [];
      if (repository === "") throw malformed(shown, "expected oci://REGISTRY/REPOSITORY:TAG or …@sha256:DIGEST");
      return { kind: "oci", uri: shown, registry, repository, reference: digest ?? tag };
    }
    case "models":
    case "runs": {
      const reference = mlflowReference(uri);
      if (reference === undefined)
        throw malformed(shown, "expected models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN_ID/PATH");
      return { kind: "mlflow", uri: shown, reference };
    }
    default:
      throw new LoadError(
        "UnsupportedSource",
        `loading ${shown}: ${scheme}:// is not supported; use a folder, ${SOURCES}`,
      );
  }
}

function mlflowReference(uri: string): MlflowReference | undefined {
  const [, loggedModel] = /^models:\/+(m-[0-9a-f]{32})$/.exec(uri) ?? [];
  if (loggedModel !== undefined) return { loggedModel };
  const [, versioned, version] = /^models:\/+([^/]+)\/(\d+)$/.exec(uri) ?? [];
  if (versioned !== undefined && version !== undefined) return { model: versioned, version };
  const [, aliased, alias] = /^models:\/+([^/@]+)@([^/@]+)$/.exec(uri) ?? [];
  if (aliased !== undefined && alias !== undefined) return { model: aliased, alias };
  const [, run, path] = /^runs:\/+([\w-]+)\/(.+?)\/*$/.exec(uri) ?? [];
  return run !== undefined && path !== undefined ? { run, path: requireSafePath(path, uri) } : undefined;
}

/** Throws a LoadError for plain HTTP off this machine, and for link-local addresses, where clouds keep credentials. */
export function requireAllowedUrl(url: URL, allowHttp: boolean, shown: string): void {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isLinkLocal(host)) {
    throw new LoadError(
      "UnsupportedSource",
      `loading ${shown}: ${host} is a link-local address, from which no model is loaded`,
    );
  }
  if (url.protocol === "https:") return;
  if (url.protocol !== "http:")
    throw new LoadError(
      "UnsupportedSource",
      `loading ${shown}: redirected to ${url.protocol}//, which is not followed`,
    );
  if (!isLoopback(host) && !allowHttp) {
    throw new LoadError(
      "UnsupportedSource",
      `loading ${shown}: plain http:// to ${host} could be tampered with; use https://, or set ALLOW_HTTP=true and pin sha256`,
    );
  }
}

export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** A URI as logs and answers may show it: no user info, no query (it may be a signature), no fragment. */
export function redactUri(uri: string): string {
  if (!SCHEME.test(uri)) return uri;
  return uri.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]+:\/\/)[^/]*@/i, "$1");
}

export const fileName = ({ pathname }: URL): string => basename(decodeURIComponent(pathname));

function filePath(uri: string, shown: string): string {
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw malformed(shown, "expected file:///absolute/path", cause);
  }
}

function parseUrl(uri: string, shown: string): URL {
  try {
    const url = new URL(uri);
    decodeURIComponent(url.pathname);
    return url;
  } catch (cause) {
    throw malformed(shown, "this is not a URL", cause);
  }
}

function malformed(shown: string, expected: string, cause?: unknown): LoadError {
  return new LoadError("InvalidConfiguration", `loading ${shown}: ${expected}`, { cause });
}
