import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { fileName, redactUri, requireAllowedUrl } from "./location.ts";
import type { Origin, OriginFile } from "./origin.ts";

const MAX_REDIRECTS = 5;

/** What a folder's address is asked for, since HTTP cannot list. */
const FOLDER_FILES: readonly OriginFile[] = [
  { path: "model.onnx" },
  { path: "model.onnx.data", optional: true },
  { path: "preprocessor.onnx", optional: true },
  { path: "metadata.json", optional: true },
  { path: "golden.json", optional: true },
];

type HttpConfig = Pick<Config, "allowHttp" | "httpAuthorization" | "httpUsername" | "httpPassword">;

/** An address ending with `/` is a folder, any other a single file. */
export function httpOrigin(url: URL, uri: string, config: HttpConfig): Origin {
  const authorization = credentials(url, config);
  const isFolder = url.pathname.endsWith("/");
  return {
    list: async () => (isFolder ? FOLDER_FILES : [{ path: fileName(url), whole: true }]),
    async open(file, signal) {
      const target = new URL(url);
      if (isFolder) target.pathname += file.path;
      const response = await get(target, authorization, config.allowHttp, uri, signal);
      if (response.ok && response.body) return response.body;
      await response.body?.cancel();
      if (response.status === 404 && file.optional) return undefined;
      throw statusError(response, file, uri);
    },
  };
}

function credentials(url: URL, { httpAuthorization, httpUsername, httpPassword }: HttpConfig): string | undefined {
  if (httpAuthorization !== undefined) return httpAuthorization;
  const username = httpUsername ?? decodeURIComponent(url.username);
  const password = httpPassword ?? decodeURIComponent(url.password);
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** Follows redirects, each of them checked; another origin does not get the credentials. */
async function get(
  start: URL,
  authorization: string | undefined,
  allowHttp: boolean,
  uri: string,
  signal: AbortSignal,
): Promise<Response> {
  let url = new URL(start);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    url.username = "";
    url.password = "";
    const trusted = authorization !== undefined && url.origin === start.origin;
    const response = await fetch(url, {
      redirect: "manual",
      signal,
      headers: { "accept-encoding": "identity", ...(trusted && { authorization }) },
    }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw networkError(cause as Error, uri);
    });
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = URL.parse(location, url);
    if (next === null)
      throw new LoadError("SourceUnavailable", `loading ${uri}: redirected to an address that is none`, {
        permanent: true,
      });
    if (url.protocol === "https:" && next.protocol === "http:") {
      throw new LoadError(
        "UnsupportedSource",
        `loading ${uri}: redirected from https:// to ${redactUri(next.href)}, which is not followed`,
      );
    }
    requireAllowedUrl(next, allowHttp, uri);
    url = next;
  }
  throw new LoadError("SourceUnavailable", `loading ${uri}: more than ${MAX_REDIRECTS} redirects`, { permanent: true });
}

function statusError({ status, statusText }: Response, { path }: OriginFile, uri: string): LoadError {
  const what = `loading ${uri}: the server answers ${status} ${statusText}`.trimEnd() + ` for ${path}`;
  if (status === 404 || status === 410) return new LoadError("ArtifactNotFound", `${what}; check the address`);
  if (status === 401 || status === 403 || status === 407) {
    return new LoadError(
      "AccessDenied",
      `${what}; check the secret's HTTP_AUTHORIZATION, or HTTP_USERNAME and HTTP_PASSWORD`,
    );
  }
  const transient = status >= 500 || [408, 425, 429].includes(status);
  return new LoadError("SourceUnavailable", what, { permanent: !transient });
}

/** TLS failures need a person; anything else may pass. */
function networkError(error: Error, uri: string): LoadError {
  const cause = (error.cause ?? error) as NodeJS.ErrnoException;
  const isTls = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL/.test(cause.code ?? "");
  const hint = isTls ? "; give its CA by NODE_EXTRA_CA_CERTS" : "";
  return new LoadError("SourceUnavailable", `loading ${uri}: ${cause.message || cause.code || error.message}${hint}`, {
    permanent: isTls,
    cause: error,
  });
}
