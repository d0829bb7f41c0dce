/**
 * Kubernetes' strategic merge patch, for pod templates: objects are merged field by field, lists item by item where the
 * API names a merge key, `null` takes a field away, and `$patch` says `delete` or `replace`. What a patch adds to a list
 * stands behind what is there, so that the model's container stays the first.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
export function strategicMerge<T extends object>(target: T, patch: object): T {
  return mergeFields(target as Fields, patch as Fields) as T;
}

type Fields = Readonly<Record<string, unknown>>;

/** `patchMergeKey` of core/v1, by the field's name; a list that is not here is taken as a whole. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  imagePullSecrets: "name",
  volumeMounts: "mountPath",
  ports: "containerPort",
  topologySpreadConstraints: "topologyKey",
  hostAliases: "ip",
};

/** Items that name one of several kinds: another kind takes the place of the one that was there (`retainKeys`). */
const UNIONS: readonly string[] = ["volumes", "env"];

function mergeFields(target: Fields, { $patch: directive, ...patch }: Fields): Fields {
  if (directive === "delete") return {};
  const merged: Record<string, unknown> = directive === "replace" ? {} : { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergeValue(name, merged[name], value);
  }
  return merged;
}

function mergeValue(name: string, present: unknown, value: unknown): unknown {
  if (Array.isArray(value)) return mergeList(name, Array.isArray(present) ? present : [], value);
  return isFields(value) ? mergeFields(isFields(present) ? present : {}, value) : value;
}

function mergeList(name: string, present: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const key = MERGE_KEYS[name];
  if (key === undefined) return [...patch];
  const items = patch.filter(isFields);
  const isReplaced = items.some((item) => item["$patch"] === "replace" && item[key] === undefined);
  const merged = new Map(
    isReplaced ? [] : present.filter(isFields).map((item): [string, Fields] => [identity(item, key), item]),
  );
  for (const item of items) {
    if (item[key] === undefined) continue;
    const id = identity(item, key);
    if (item["$patch"] === "delete") merged.delete(id);
    else merged.set(id, mergeFields(ofTheSameKind(name, merged.get(id) ?? {}, item), item));
  }
  return [...merged.values()];
}

function ofTheSameKind(list: string, present: Fields, patch: Fields): Fields {
  if (!UNIONS.includes(list)) return present;
  return Object.fromEntries(Object.entries(present).filter(([name]) => name in patch));
}

/** A port is one by its protocol too, as for server-side apply. */
function identity(item: Fields, key: string): string {
  const protocol = key === "containerPort" ? (item["protocol"] ?? "TCP") : "";
  return JSON.stringify([item[key], protocol]);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
