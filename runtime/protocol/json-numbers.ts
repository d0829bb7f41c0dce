const [TAB, LINE_FEED, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const [COMMA, PLUS, MINUS, POINT] = [0x2c, 0x2b, 0x2d, 0x2e];
const [ZERO, NINE] = [0x30, 0x39];
const [UPPER_E, LOWER_E] = [0x45, 0x65];

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/**
 * Reads the `count` numbers of a JSON list (RFC 8259), of which `start` is the position after the bracket. Returns the
 * position of the bracket, or whatever else there is, after the last one; -1 when they are fewer, or one is none.
 * `values` gets what `JSON.parse` would make of them.
 */
export function readNumbers(bytes: Buffer, start: number, count: number, values: number[]): number {
  let position = start;
  for (let index = 0; index < count; index += 1) {
    if (index > 0) {
      if (bytes[position] !== COMMA) return -1;
      position += 1;
    }
    position = readNumber(bytes, afterSpace(bytes, position), values);
    if (position < 0) return -1;
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

/** Returns the position after the number, or -1. */
function readNumber(bytes: Buffer, start: number, values: number[]): number {
  const isNegative = bytes[start] === MINUS;
  let position = isNegative ? start + 1 : start;
  const first = bytes[position];
  let digits = 0;
  const beginning = position;
  for (; isDigit(bytes[position]); position += 1) digits = 10 * digits + (bytes[position] as number) - ZERO;
  if (position === beginning || (first === ZERO && position > beginning + 1)) return -1;

  let decimals = 0;
  if (bytes[position] === POINT) {
    position += 1;
    const point = position;
    for (; isDigit(bytes[position]); position += 1) digits = 10 * digits + (bytes[position] as number) - ZERO;
    decimals = position - point;
    if (decimals === 0) return -1;
  }

  const power = POWERS[decimals];
  const hasExponent = bytes[position] === LOWER_E || bytes[position] === UPPER_E;
  if (hasExponent) position = afterExponent(bytes, position + 1);
  if (position < 0) return -1;
  // Of two doubles that are exact the quotient is the nearest double, which is what is asked for (Clinger 1990).
  if (!hasExponent && power !== undefined && digits <= Number.MAX_SAFE_INTEGER) {
    values.push(isNegative ? -digits / power : digits / power);
  } else {
    values.push(Number(bytes.toString("latin1", start, position)));
  }
  return position;
}

/** Returns the position after the digits of an exponent, or -1. */
function afterExponent(bytes: Buffer, start: number): number {
  const sign = bytes[start];
  const beginning = sign === PLUS || sign === MINUS ? start + 1 : start;
  let position = beginning;
  while (isDigit(bytes[position])) position += 1;
  return position === beginning ? -1 : position;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;
