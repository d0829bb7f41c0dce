import { basename } from "node:path";

import * as z from "zod";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { conversionOf } from "../model/foreign-formats.ts";
import { readDocument, openUrl } from "./http.ts";
import type { HttpAccess } from "./http.ts";
import { requireAllowedUrl } from "./location.ts";
import type { Origin, OriginFile } from "./origin.ts";

interface HubLocation {
  readonly uri: string;
  readonly repository: string;
  readonly revision: string;
  /** A folder or a file of the repository; "" is all of it. */
  readonly path: string;
}

const REVISION = z.object({ sha: z.string().regex(/^[0-9a-f]{40,64}$/) });
const TREE = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
  }),
);

/** Of the hub's listing, a thousand files each. */
const MAX_PAGES = 10;

/** A repository of the Hugging Face hub at one commit, whatever its branch does meanwhile. */
export function hubOrigin({ uri, repository, revision, path }: HubLocation, config: Config): Origin {
  const endpoint = hubUrl(config, uri);
  const access: HttpAccess = {
    authorization: config.hfToken && `Bearer ${config.hfToken}`,
    allowHttp: config.allowHttp,
    uri,
    hint: `check that ${repository} exists, and that the secret's HF_TOKEN may read it`,
    immutable: true,
  };
  const api = (rest: string): URL => new URL(`${endpoint}/api/models/${repository}/${rest}`);
  const isFile = path.endsWith(".onnx");
  let commit = "";

  const list = async (signal: AbortSignal): Promise<readonly OriginFile[]> => {
    const info = await readDocument(api(`revision/${encodeURIComponent(revision)}`), access, signal);
    commit = understood(REVISION, info.json, uri).sha;
    if (isFile) return [{ path: basename(path), whole: true }];
    const prefix = path === "" ? "" : `${path}/`;
    const files: OriginFile[] = [];
    let page: URL | undefined = api(`tree/${commit}${path && `/${encodePath(path)}`}?recursive=true`);
    for (let pages = 0; page !== undefined; pages += 1) {
      if (pages === MAX_PAGES) throw tooMany(uri);
      const answer = await readDocument(page, access, signal);
      for (const entry of understood(TREE, answer.json, uri)) {
        if (entry.type !== "file" || !entry.path.startsWith(prefix)) continue;
        files.push({ path: entry.path.slice(prefix.length), ...(entry.lfs && { sha256: entry.lfs.oid }) });
      }
      page = nextPage(answer.headers, page);
    }
    return modelFiles(files, uri);
  };

  return {
    list,
    open(file, signal, held) {
      const inside = isFile ? path : [path, file.path].filter(Boolean).join("/");
      const url = new URL(`${endpoint}/${repository}/resolve/${commit}/${encodePath(inside)}`);
      return openUrl(url, file, access, signal, held);
    },
  };
}

/** Repositories hold the same model for several frameworks, each of them large: theirs are left out. */
function modelFiles(files: readonly OriginFile[], uri: string): readonly OriginFile[] {
  const visible = files.filter(({ path }) => !/(?:^|\/)\./.test(path));
  if (visible.some(({ path }) => path.endsWith(".onnx")))
    return visible.filter(({ path }) => conversionOf(basename(path)) === undefined);
  const names = visible.map(({ path }) => path);
  const conversion = names.map((name) => conversionOf(basename(name), names)).find((text) => text !== undefined);
  throw conversion === undefined
    ? new LoadError("ArtifactNotFound", `loading ${uri}: it holds no .onnx file; check the repository and the folder`)
    : new LoadError("UnsupportedFormat", `loading ${uri}: ${conversion}`);
}

function hubUrl({ hfEndpoint, allowHttp }: Config, uri: string): string {
  const url = URL.parse(hfEndpoint);
  if (url === null) throw new LoadError("InvalidConfiguration", `loading ${uri}: HF_ENDPOINT is no URL`);
  requireAllowedUrl(url, allowHttp, uri);
  return hfEndpoint.replace(/\/+$/, "");
}

/** The next page's address is the server's word: the token goes to its own origin only. */
function nextPage(headers: Headers, page: URL): URL | undefined {
  const target = /<([^>]+)>;\s*rel="next"/.exec(headers.get("link") ?? "")?.[1];
  const next = target === undefined ? null : URL.parse(target, page);
  return next?.origin === page.origin ? next : undefined;
}

function understood<T extends z.ZodType>(schema: T, json: unknown, uri: string): z.infer<T> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new LoadError("SourceUnavailable", `loading ${uri}: the hub's answer is none of its API; check HF_ENDPOINT`, {
    permanent: true,
  });
}

function tooMany(uri: string): LoadError {
  return new LoadError(
    "ArtifactTooLarge",
    `loading ${uri}: the repository has too many files; name the model's folder`,
  );
}

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
