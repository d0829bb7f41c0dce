import * as z from "zod";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import { openUrl, readDocument } from "./http.ts";
import type { HttpAccess } from "./http.ts";
import { requireAllowedUrl } from "./location.ts";
import type { Origin, OriginFile } from "./origin.ts";

/** What a `models:/` or `runs:/` address names. */
export type MlflowReference =
  | { readonly model: string; readonly version: string }
  | { readonly model: string; readonly alias: string }
  | { readonly loggedModel: string }
  | { readonly run: string; readonly path: string };

interface MlflowLocation {
  readonly uri: string;
  readonly reference: MlflowReference;
}

const MODEL_VERSION = z.object({ model_version: z.object({ version: z.coerce.string() }) });
const DOWNLOAD_URI = z.object({ artifact_uri: z.string() });
const LOGGED_MODEL = z.object({ model: z.object({ info: z.object({ name: z.string(), artifact_uri: z.string() }) }) });
const RUN = z.object({
  run: z.object({
    info: z.object({ artifact_uri: z.string() }),
    outputs: z.object({ model_outputs: z.array(z.object({ model_id: z.string() })).optional() }).optional(),
  }),
});
const LISTING = z.object({ files: z.array(z.object({ path: z.string(), is_dir: z.boolean() })).optional() });

const MAX_FOLDERS = 100;
const MAX_LOGGED_MODELS = 20;
const PROXIED = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+/;

/** What the tracking server knows about models. Its methods throw LoadErrors. */
export class MlflowServer {
  readonly #base: string;
  readonly #access: HttpAccess;

  constructor(uri: string, config: Config) {
    const { mlflowTrackingUri: tracking, allowHttp } = config;
    const url = tracking === undefined ? null : URL.parse(tracking);
    if (tracking === undefined || url === null || !/^https?:$/.test(url.protocol))
      throw new LoadError(
        "InvalidConfiguration",
        `loading ${uri}: set MLFLOW_TRACKING_URI to the server's https:// address`,
      );
    requireAllowedUrl(url, allowHttp, uri);
    this.#base = `${url.origin}${url.pathname.replace(/\/+$/, "")}/api/2.0`;
    this.#access = {
      authorization: authorization(config),
      allowHttp,
      uri,
      hint: "check MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
      absent: [400, 404], // it answers 400 for an alias that is not there
    };
  }

  async versionOf(model: string, alias: string, signal: AbortSignal): Promise<string> {
    const answer = await this.#ask("mlflow/registered-models/alias", { name: model, alias }, MODEL_VERSION, signal);
    return answer.model_version.version;
  }

  /** Where the artifacts are: an address of the server's proxy or of a storage. */
  async artifactUri(reference: MlflowReference, signal: AbortSignal): Promise<string> {
    if ("loggedModel" in reference) return (await this.#loggedModel(reference.loggedModel, signal)).artifact_uri;
    if ("run" in reference) return this.#runArtifactUri(reference.run, reference.path, signal);
    const version =
      "version" in reference ? reference.version : await this.versionOf(reference.model, reference.alias, signal);
    const query = { name: reference.model, version };
    return (await this.#ask("mlflow/model-versions/get-download-uri", query, DOWNLOAD_URI, signal)).artifact_uri;
  }

  /** The files below a folder of the proxy. */
  proxied(artifactUri: string): Origin {
    const root = artifactUri.replace(PROXIED, "").replace(/\/+$/, "");
    return {
      list: (signal) => this.#list(root, signal),
      open: (file, signal, held) => {
        const path = `${root}/${file.path}`.split("/").map(encodeURIComponent).join("/");
        return openUrl(new URL(`${this.#base}/mlflow-artifacts/artifacts/${path}`), file, this.#access, signal, held);
      },
    };
  }

  async #list(root: string, signal: AbortSignal): Promise<readonly OriginFile[]> {
    const files: OriginFile[] = [];
    const folders = [""];
    for (const folder of folders) {
      if (folders.length > MAX_FOLDERS)
        throw new LoadError(
          "ArtifactTooLarge",
          `loading ${this.#access.uri}: more than ${MAX_FOLDERS} folders; is it a model?`,
        );
      const path = folder === "" ? root : `${root}/${folder}`;
      const { files: entries = [] } = await this.#ask("mlflow-artifacts/artifacts", { path }, LISTING, signal);
      for (const { path: name, is_dir: isFolder } of entries) {
        if (name.startsWith(".")) continue;
        const inner = folder === "" ? name : `${folder}/${name}`;
        if (isFolder) folders.push(inner);
        else files.push({ path: inner });
      }
    }
    if (files.length > 0) return files;
    throw new LoadError(
      "ArtifactNotFound",
      `loading ${this.#access.uri}: the server has no artifacts there; check the path`,
    );
  }

  /** Since MLflow 3 a run's models lie apart from its other artifacts, under the name that they were logged by. */
  async #runArtifactUri(run: string, path: string, signal: AbortSignal): Promise<string> {
    const { run: found } = await this.#ask("mlflow/runs/get", { run_id: run }, RUN, signal);
    const [name, ...rest] = path.split("/");
    for (const { model_id: id } of (found.outputs?.model_outputs ?? []).slice(0, MAX_LOGGED_MODELS)) {
      const model = await this.#loggedModel(id, signal);
      if (model.name === name) return [model.artifact_uri, ...rest].join("/");
    }
    return `${found.info.artifact_uri}/${path}`;
  }

  async #loggedModel(id: string, signal: AbortSignal): Promise<{ name: string; artifact_uri: string }> {
    const path = `mlflow/logged-models/${encodeURIComponent(id)}`;
    return (await this.#ask(path, {}, LOGGED_MODEL, signal)).model.info;
  }

  async #ask<T extends z.ZodType>(
    path: string,
    query: Readonly<Record<string, string>>,
    schema: T,
    signal: AbortSignal,
  ): Promise<z.infer<T>> {
    const url = new URL(`${this.#base}/${path}`);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const parsed = schema.safeParse((await readDocument(url, this.#access, signal)).json);
    if (parsed.success) return parsed.data;
    throw new LoadError("SourceUnavailable", `loading ${this.#access.uri}: the answer is none of MLflow's API`, {
      permanent: true,
    });
  }
}

/** The artifacts of a model or run. `storage` opens the address of a storage that is not behind the server's proxy. */
export function mlflowOrigin(
  { uri, reference }: MlflowLocation,
  config: Config,
  storage: (artifactUri: string) => Promise<Origin>,
): Origin {
  const server = new MlflowServer(uri, config);
  let origin: Origin | undefined;
  const resolved = async (signal: AbortSignal): Promise<Origin> => {
    const artifactUri = await server.artifactUri(reference, signal);
    return PROXIED.test(artifactUri) ? server.proxied(artifactUri) : storage(`${artifactUri.replace(/\/+$/, "")}/`);
  };
  return {
    list: async (signal) => {
      origin = await resolved(signal);
      return origin.list(signal);
    },
    open: async (file, signal, held) => {
      origin ??= await resolved(signal);
      return origin.open(file, signal, held);
    },
  };
}

function authorization(config: Config): string | undefined {
  const { mlflowTrackingToken: token, mlflowTrackingUsername: username, mlflowTrackingPassword: password } = config;
  if (token !== undefined) return `Bearer ${token}`;
  if (username === undefined && password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64")}`;
}
