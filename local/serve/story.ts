import { curlLine, requestHeaders } from "../ask/curl-line.ts";
import { firstExample } from "../ask/first-example.ts";
import { getJson } from "../ask/http.ts";

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Of what /model/info tells. */
interface ModelInfo {
  model_name: string;
  model_version: string;
  sha256: string;
  answers: string;
  features: { name: string; type: string; nullable: boolean }[] | null;
  signature: Record<"inputs" | "outputs", Tensor[]>;
  metadata: { model_type?: string; target?: string; classes?: (string | number)[] };
}

interface Tensor {
  name: string;
  datatype: string;
  shape: (number | string | null)[] | null;
}

const MOST_SHOWN = 8;

/** What the user reads when the model at `place` serves: what it is, and how to ask it. */
export async function story(
  { watched, ...place }: Place & { watched: string | undefined },
  signal: AbortSignal,
): Promise<string> {
  const url = urlOf(place);
  const info = await getJson<ModelInfo>(`${url}/model/info`, signal);
  const example = await firstExample(url, requestHeaders(), signal);
  const ask =
    example === undefined ? [] : ["", "Ask it:", `  ${curlLine({ url, ...example.question })}`, `  ${example.answer}`];
  return [
    "",
    `${info.model_name} answers at ${url}`,
    ...summary(info),
    ...ask,
    "",
    `Try it in a browser: ${url}/docs`,
    ...(watched === undefined ? [] : [`A change in ${watched} is served as soon as it has loaded.`]),
    "Ctrl-C stops it.",
    "",
  ].join("\n");
}

/** The model that serves at `place`, in some lines. */
export async function modelAt(place: Place, signal: AbortSignal): Promise<string> {
  const lines = summary(await getJson<ModelInfo>(`${urlOf(place)}/model/info`, signal));
  return lines.map((line) => `${line}\n`).join("");
}

function summary({ model_version, metadata, answers, features, signature, sha256 }: ModelInfo): string[] {
  const { model_type, target, classes } = metadata;
  const fields = features?.map(({ name, type, nullable }) => `${name} (${type}${nullable ? " or null" : ""})`);
  return [
    `  version  ${model_version}${model_type === undefined ? "" : `, ${model_type}`}`,
    `  takes    ${list(fields ?? signature.inputs.map(tensor))}`,
    `  answers  ${target === undefined ? "" : `${target}: `}${classes === undefined ? answers : list(classes.map(String))}`,
    `  sha256   ${sha256}`,
  ];
}

function list(names: readonly string[]): string {
  return names.slice(0, MOST_SHOWN).join(", ") + (names.length > MOST_SHOWN ? `, … (${names.length})` : "");
}

function tensor({ name, datatype, shape }: Tensor): string {
  return `${name} (${datatype} ${shape === null ? "" : `[${shape.map((size) => size ?? "N").join(", ")}]`})`;
}

function urlOf({ host, port }: Place): string {
  const address = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
