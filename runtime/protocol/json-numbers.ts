const [TAB, LINE_FEED, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const [COMMA, MINUS, POINT, BRACKET] = [0x2c, 0x2d, 0x2e, 0x5d];
const [ZERO, NINE] = [0x30, 0x39];
const [UPPER_E, LOWER_E] = [0x45, 0x65];

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** In place of a position: there is no number. */
const NONE = -1;
/** In place of a position: the number takes more than a division of two doubles. */
const LONG = -2;

/**
 * Reads the `count` numbers of a JSON list (RFC 8259), of which `start` is the position after the bracket. Returns the
 * position of the bracket, or whatever else there is, after the last one; -1 when they are fewer, or one is none.
 * `values`, which is empty, gets what `JSON.parse` would make of them.
 */
export function readNumbers(bytes: Buffer, start: number, count: number, values: number[]): number {
  let position = start;
  for (let index = 0; index < count; index += 1) {
    if (index > 0) {
      if (bytes[position] !== COMMA) return NONE;
      position += 1;
    }
    position = readNumber(bytes, afterSpace(bytes, position), values);
    if (position === LONG) return parseNumbers(bytes, start, count, values);
    if (position === NONE) return NONE;
    position = afterSpace(bytes, position);
  }
  return position;
}

function afterSpace(bytes: Buffer, start: number): number {
  let position = start;
  for (;;) {
    const byte = bytes[position];
    if (byte !== SPACE && byte !== LINE_FEED && byte !== RETURN && byte !== TAB) return position;
    position += 1;
  }
}

/** `readNumbers` by JSON.parse, which is sooner done with long numbers. */
function parseNumbers(bytes: Buffer, start: number, count: number, values: number[]): number {
  const end = bytes.indexOf(BRACKET, start);
  if (end < 0) return NONE;
  values.length = 0;
  for (const value of parsedList(bytes.toString("latin1", start, end))) {
    if (typeof value !== "number") return NONE;
    values.push(value);
  }
  return values.length === count ? end : NONE;
}

/** Empty for what is none. */
function parsedList(text: string): unknown[] {
  try {
    return JSON.parse(`[${text}]`) as unknown[];
  } catch {
    return [];
  }
}

/** Returns the position after the number, NONE or LONG. */
function readNumber(bytes: Buffer, start: number, values: number[]): number {
  const isNegative = bytes[start] === MINUS;
  let position = isNegative ? start + 1 : start;
  const first = bytes[position];
  let digits = 0;
  const beginning = position;
  for (; isDigit(bytes[position]); position += 1) digits = 10 * digits + (bytes[position] as number) - ZERO;
  if (position === beginning || (first === ZERO && position > beginning + 1)) return NONE;

  let decimals = 0;
  if (bytes[position] === POINT) {
    position += 1;
    const point = position;
    for (; isDigit(bytes[position]); position += 1) digits = 10 * digits + (bytes[position] as number) - ZERO;
    decimals = position - point;
    if (decimals === 0) return NONE;
  }

  const power = POWERS[decimals];
  const hasExponent = bytes[position] === LOWER_E || bytes[position] === UPPER_E;
  if (hasExponent || power === undefined || digits > Number.MAX_SAFE_INTEGER) return LONG;
  // Of two doubles that are exact the quotient is the nearest double, which is what is asked for (Clinger 1990).
  values.push(isNegative ? -digits / power : digits / power);
  return position;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;
