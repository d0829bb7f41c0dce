import type { KubeObject } from "../cluster/objects.ts";

/** `fieldsV1` of an object's managedFields: an empty set is a whole value, `.` the map or the item itself. */
interface Fields {
  readonly [element: string]: Fields;
}

/**
 * What `manager` has applied of an object: all that it must apply again, for what it leaves out it gives up.
 * The object's apiVersion, kind, name and namespace are nobody's.
 */
export function fieldsAppliedBy(manager: string, object: KubeObject): Record<string, unknown> {
  const entry = object.metadata.managedFields?.find(
    (candidate) =>
      candidate.manager === manager && candidate.operation === "Apply" && candidate.subresource === undefined,
  );
  return entry === undefined ? {} : (part(object, entry.fieldsV1 as Fields) as Record<string, unknown>);
}

function part(value: unknown, fields: Fields): unknown {
  const elements = Object.entries(fields);
  if (elements.length === 0) return value;
  if (Array.isArray(value)) return value.flatMap((item: unknown) => partOfItem(item, elements));
  if (typeof value !== "object" || value === null) return value;
  const members = new Map(Object.entries(value));
  return Object.fromEntries(
    elements.flatMap(([element, inner]) => {
      const name = element.slice("f:".length);
      return element.startsWith("f:") && members.has(name) ? [[name, part(members.get(name), inner)]] : [];
    }),
  );
}

/** Items are known by some of their members (`k:`), or by what they are (`v:`). */
function partOfItem(item: unknown, elements: readonly [string, Fields][]): unknown[] {
  for (const [element, inner] of elements) {
    const kind = element.slice(0, 2);
    if (kind !== "k:" && kind !== "v:") continue;
    const known = JSON.parse(element.slice(2)) as unknown;
    if (kind === "v:" ? item === known : hasMembers(item, known as object)) return [part(item, inner)];
  }
  return [];
}

function hasMembers(item: unknown, members: object): boolean {
  if (typeof item !== "object" || item === null) return false;
  const own = new Map(Object.entries(item));
  return Object.entries(members).every(([name, value]) => own.get(name) === value);
}
