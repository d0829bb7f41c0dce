const TOKEN =
  /[ \t\n\r]*(?:([{}[\]:,])|("(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|true(?!\w)|false(?!\w)|null(?!\w)))/uy;

/** What may stand next. */
type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "nothing";

/**
 * Offset, in characters, of the first token at which `text` stops being JSON: `JSON.parse` does not always tell.
 * Called only for text that `JSON.parse` refused.
 */
export function jsonErrorPosition(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  let position = 0;
  for (;;) {
    TOKEN.lastIndex = position;
    const match = TOKEN.exec(text);
    const next: Expected | null | undefined = match && advance(expected, match, open);
    if (!match || !next) return position + (/^[ \t\n\r]*/.exec(text.slice(position)) as RegExpExecArray)[0].length;
    expected = next;
    position = TOKEN.lastIndex;
  }
}

/** Undefined when the token may not stand here. */
function advance(
  expected: Expected,
  [, mark, string, literal]: RegExpExecArray,
  open: ("{" | "[")[],
): Expected | undefined {
  const afterValue = (): Expected => (open.length > 0 ? "comma or end" : "nothing");
  const isValueNext = expected === "value" || expected === "value or ]";
  if (isValueNext && (string !== undefined || literal !== undefined)) return afterValue();
  if (isValueNext && (mark === "{" || mark === "[")) {
    open.push(mark);
    return mark === "{" ? "key or }" : "value or ]";
  }
  const closesEmpty = (mark === "]" && expected === "value or ]") || (mark === "}" && expected === "key or }");
  const closes = expected === "comma or end" && mark === (open.at(-1) === "{" ? "}" : "]");
  if (closesEmpty || closes) {
    open.pop();
    return afterValue();
  }
  if ((expected === "key" || expected === "key or }") && string !== undefined) return "colon";
  if (expected === "colon" && mark === ":") return "value";
  if (expected === "comma or end" && mark === ",") return open.at(-1) === "{" ? "key" : "value";
  return undefined;
}
