import * as fc from "fast-check";

const KEYS = (
  "version features classes output task metrics target model_type created_at name type nullable missing input tensor " +
  "activation threshold tolerance absolute rows prediction probability probabilities __proto__ constructor else"
).split(" ");

/** Documents in which up to three values were replaced, removed or added, wherever they are. */
export function mutants(documents: readonly unknown[]): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    fc.constantFrom<unknown>(null, true, 0, -1, 0.5, 2, 1e300, "", "a", "number", "softmax", "classification", [], {}),
    fc.constantFrom<unknown>([1], ["a", "a"], ["a", "b"], [1, "1"], [{ name: "a" }, "a"], [{ name: "" }], { name: 1 }),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const key = fc.constantFrom(...KEYS);
  const change = fc.record({ at: fc.array(fc.nat(30), { maxLength: 4 }), key, value, remove: fc.boolean() });
  return fc
    .tuple(fc.constantFrom(...documents), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([document, changes]) => changes.reduce(changed, document));
}

interface Change {
  /** Which member at each level, of those that there are. */
  readonly at: readonly number[];
  readonly key: string;
  readonly value: unknown;
  readonly remove: boolean;
}

function changed(document: unknown, { at: [place, ...deeper], key, value, remove }: Change): unknown {
  if (typeof document !== "object" || document === null) return value;
  const members = Object.entries(document) as [string, unknown][];
  if (place === undefined || members.length === 0) return withMember(document, members, [key, value]);
  const at = place % members.length;
  const [name, old] = members[at] as [string, unknown];
  if (deeper.length === 0 && remove) return withMember(document, members.toSpliced(at, 1));
  const inner = deeper.length === 0 ? value : changed(old, { at: deeper, key, value, remove });
  return withMember(document, members.with(at, [name, inner]));
}

function withMember(document: object, members: readonly [string, unknown][], added?: [string, unknown]): unknown {
  const all = added ? [...members, added] : members;
  return Array.isArray(document) ? all.map(([, member]) => member) : Object.fromEntries(all);
}
