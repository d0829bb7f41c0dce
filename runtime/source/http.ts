import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { tooLarge } from "./file-tree.ts";
import { fileName, redactUri, requireAllowedUrl } from "./location.ts";
import type { HeldPart, OpenedFile, Origin, OriginFile } from "./origin.ts";

const MAX_REDIRECTS = 5;

/** What a folder's address is asked for, since HTTP cannot list. */
const FOLDER_FILES: readonly OriginFile[] = [
  { path: "model.onnx" },
  { path: "model.onnx.data", optional: true },
  { path: "preprocessor.onnx", optional: true },
  { path: "metadata.json", optional: true },
  { path: "golden.json", optional: true },
];

const CREDENTIALS_HINT = "check the secret's HTTP_AUTHORIZATION, or HTTP_USERNAME and HTTP_PASSWORD";

type HttpConfig = Pick<Config, "allowHttp" | "httpAuthorization" | "httpUsername" | "httpPassword">;

/** An address ending with `/` is a folder, any other a single file. */
export function httpOrigin(url: URL, uri: string, config: HttpConfig): Origin {
  const authorization = credentials(url, config);
  const isFolder = url.pathname.endsWith("/");
  return {
    list: async () => (isFolder ? FOLDER_FILES : [{ path: fileName(url), whole: true }]),
    open(file, signal, held) {
      const target = new URL(url);
      if (isFolder) target.pathname += file.path;
      return openUrl(
        target,
        file,
        { authorization, allowHttp: config.allowHttp, uri, hint: CREDENTIALS_HINT },
        signal,
        held,
      );
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

/** How addresses of one source are asked for. */
export interface HttpAccess {
  readonly authorization: string | undefined;
  readonly allowHttp: boolean;
  /** For messages. */
  readonly uri: string;
  /** What to check when the server denies access. */
  readonly hint: string;
  readonly accept?: string;
  /** Statuses that mean that there is no such thing; 404 and 410 when omitted. */
  readonly absent?: readonly number[];
  /** Hears how the server wants to be authorized, when it refuses for want of it. */
  readonly onChallenge?: (challenge: string) => void;
  /** The address names content that never changes, so that a download resumes without an ETag too. */
  readonly immutable?: boolean;
}

/** The file at the address. Throws a LoadError for every answer that has no file, but undefined for an optional one's 404. */
export async function openUrl(
  url: URL,
  file: OriginFile,
  access: HttpAccess,
  signal: AbortSignal,
  held?: HeldPart,
): Promise<OpenedFile | undefined> {
  const { immutable = false } = access;
  const resume = held && { range: `bytes=${held.offset}-`, ...(!immutable && { "if-range": held.etag }) };
  const response = await get(url, access, signal, resume);
  const opened = openedFile(response, held, immutable);
  if (opened !== undefined) return opened;
  await response.body?.cancel();
  if (held !== undefined && [206, 416].includes(response.status)) return openUrl(url, file, access, signal);
  if (response.status === 404 && file.optional) return undefined;
  throw statusError(response, file.path, access);
}

/** The JSON document at the address, of at most a few megabytes. Throws a LoadError. */
export async function readDocument(url: URL, access: HttpAccess, signal: AbortSignal): Promise<JsonDocument> {
  const response = await get(url, { accept: "application/json", ...access }, signal);
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw statusError(response, url.pathname, access);
  }
  const bytes = await readBounded(response.body, signal, access.uri);
  try {
    return { json: JSON.parse(bytes.toString("utf8")), bytes, headers: response.headers };
  } catch (cause) {
    throw new LoadError("SourceUnavailable", `loading ${access.uri}: ${url.origin} answers with no JSON`, {
      permanent: true,
      cause,
    });
  }
}

interface JsonDocument {
  readonly json: unknown;
  readonly bytes: Buffer;
  readonly headers: Headers;
}

const MAX_DOCUMENT_BYTES = 8 * 1024 ** 2;

async function readBounded(body: AsyncIterable<Uint8Array>, signal: AbortSignal, uri: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_DOCUMENT_BYTES) throw tooLarge(uri, MAX_DOCUMENT_BYTES);
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof LoadError ? error : networkError(error as Error, uri);
  }
  return Buffer.concat(chunks);
}

/** Undefined when the answer's body is not the file, or not the part that is missing. */
function openedFile(response: Response, held: HeldPart | undefined, immutable: boolean): OpenedFile | undefined {
  const { status, headers, body } = response;
  if (body === null) return undefined;
  const plain = headers.get("content-encoding") === null; // else the lengths are not those of what we read
  const etag = headers.get("etag");
  const strong = immutable ? "immutable" : plain && etag !== null && !etag.startsWith("W/") ? etag : undefined;
  if (status === 200) {
    const length = headers.get("content-length");
    return { body, offset: 0, etag: strong, size: plain && length !== null ? Number(length) : undefined };
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "");
  if (status !== 206 || range === null || Number(range[1]) !== held?.offset) return undefined;
  if (strong !== undefined && strong !== held.etag) return undefined;
  return { body, offset: held.offset, etag: held.etag, size: Number(range[3]) };
}

/** Follows redirects, each of them checked; another origin does not get the credentials. */
async function get(
  start: URL,
  { authorization, allowHttp, uri, accept, onChallenge }: HttpAccess,
  signal: AbortSignal,
  resume?: Readonly<Record<string, string>>,
): Promise<Response> {
  let url = new URL(start);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    url.username = "";
    url.password = "";
    const trusted = authorization !== undefined && url.origin === start.origin;
    const response = await fetch(url, {
      redirect: "manual",
      signal,
      headers: {
        "accept-encoding": "identity",
        ...(accept && { accept }),
        ...resume,
        ...(trusted && { authorization }),
      },
    }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw networkError(cause as Error, uri);
    });
    const challenge = response.headers.get("www-authenticate");
    if (response.status === 401 && challenge !== null && url.origin === start.origin) onChallenge?.(challenge);
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

function statusError(
  { status, statusText }: Response,
  what: string,
  { uri, hint, absent = [404, 410] }: HttpAccess,
): LoadError {
  const said = `loading ${uri}: the server answers ${status} ${statusText}`.trimEnd() + ` for ${what}`;
  if (absent.includes(status)) return new LoadError("ArtifactNotFound", `${said}; check the address`);
  if (status === 401 || status === 403 || status === 407) return new LoadError("AccessDenied", `${said}; ${hint}`);
  const transient = status >= 500 || [408, 425, 429].includes(status);
  return new LoadError("SourceUnavailable", said, { permanent: !transient });
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
