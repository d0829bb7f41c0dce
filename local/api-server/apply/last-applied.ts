import { isObject, objectAt, stringAt, type JsonObject, type KubeObject } from "../objects.ts";
import type { Schema } from "../schema/schema.ts";
import { difference, emptySet, union, type FieldSet } from "./field-set.ts";
import { compare, fieldsOf } from "./typed-value.ts";

/** The manager for which the server minds what the same tool applied on its own side before. */
export const kubectl = "kubectl";
const annotation = "kubectl.kubernetes.io/last-applied-configuration";

/** What `kubectl apply` set on the client's side and nobody changed since: `kubectl apply --server-side` may take it over. */
export function unchangedSinceClientSideApply(live: KubeObject, schema: Schema): FieldSet {
  const text = live.metadata.annotations?.[annotation];
  const applied = text ? parsed(text) : undefined;
  if (applied?.["apiVersion"] !== live.apiVersion) return emptySet;
  const { added, modified, removed } = compare(applied, live, schema);
  return difference(fieldsOf(applied, schema), union(union(added, modified), removed));
}

/** `applied` with the annotation of client-side apply, if it has one, telling of `config`: so that both ways can be mixed. */
export function withLastApplied(applied: JsonObject, config: JsonObject): JsonObject {
  const metadata = objectAt(applied, "metadata");
  const annotations = objectAt(metadata, "annotations");
  if (!stringAt(annotations, annotation)) return applied;
  const told = { ...annotations, [annotation]: `${sortedJson(config)}\n` };
  return { ...applied, metadata: { ...metadata, annotations: told } };
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // anyone may write an annotation
    throw error;
  }
}

/** JSON with the fields in alphabetical order, as Go writes it: kubectl compares the text. */
function sortedJson(value: JsonObject): string {
  return JSON.stringify(value, (_, field: unknown) =>
    isObject(field) ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1))) : field,
  );
}
