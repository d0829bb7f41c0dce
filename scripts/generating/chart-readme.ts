import { isMap, isScalar, parseDocument } from "yaml";
import type { Pair, ParsedNode, YAMLMap } from "yaml";

const BEGIN = "<!-- values -->";
const END = "<!-- /values -->";

/** The chart's README with a table of all values, made from values.yaml: a comment describes what follows it. */
export function chartReadme(readme: string, valuesYaml: string): string {
  const { contents } = parseDocument(valuesYaml);
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (!isMap(contents) || before === undefined || after === undefined)
    throw new Error(`the chart's README needs ${BEGIN} and ${END}, and values.yaml has to be a map`);
  const rows = rowsOf(contents, "").map(
    ({ path, value, about }) => `| \`${path}\` | ${value === "" ? "" : `\`${value}\``} | ${about} |`,
  );
  const table = ["| Value | Default | What |", "|---|---|---|", ...rows].join("\n");
  return `${before}${BEGIN}\n${table}\n${END}${after}`;
}

interface Row {
  readonly path: string;
  readonly value: string;
  readonly about: string;
}

function rowsOf(map: YAMLMap.Parsed, prefix: string): Row[] {
  return map.items.flatMap((pair: Pair<ParsedNode, ParsedNode | null>, index) => {
    const { key, value } = pair;
    const path = `${prefix}${String(isScalar(key) ? key.value : key)}`;
    // A map's comment that precedes its first key is the map's own in the parser's eyes.
    const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined);
    const about = (comment ?? "").replaceAll(/\s+/gu, " ").trim();
    const own: Row = { path, value: JSON.stringify(value?.toJSON()), about };
    if (!isMap(value) || value.items.length === 0) return [own];
    const below = rowsOf(value, `${path}.`);
    return about === "" ? below : [{ ...own, value: "" }, ...below];
  });
}
