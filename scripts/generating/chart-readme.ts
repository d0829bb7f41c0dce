import { isMap, isScalar, parseDocument } from "yaml";
import type { Pair, ParsedNode, YAMLMap } from "yaml";
import { withTable } from "./table.ts";

/** The chart's README with a table of all values, made from values.yaml: a comment describes what follows it. */
export function chartReadme(readme: string, valuesYaml: string): string {
  const { contents } = parseDocument(valuesYaml);
  if (!isMap(contents)) throw new Error("values.yaml has to be a map");
  const rows = rowsOf(contents, "").map(({ path, value, about }) => [
    `\`${path}\``,
    value === "" ? "" : `\`${value}\``,
    about,
  ]);
  return withTable(readme, "values", ["Value", "Default", "What"], rows);
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
