/** Quantities in the form in which the API server gives them back, so that equal ones compare equal as text. */
export function canonicalQuantity(given: string | number): string {
  const text = String(given);
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return text;
  const [, sign = "", whole = "", fraction = "", exponent, suffix = ""] = match;
  const scale = exponent === undefined ? decimalExponent(suffix) : Number(exponent.slice(1));
  const binary = BINARY_SUFFIXES.indexOf(suffix);
  const digits = BigInt(`${whole}${fraction}` || "0");
  if (digits === 0n) return "0";
  const negative = sign === "-" ? "-" : "";
  if (binary > 0) return negative + binaryQuantity(digits, fraction.length, binary);
  return negative + decimalQuantity(digits, scale - fraction.length, exponent !== undefined);
}

const BINARY_SUFFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL_SUFFIXES = new Map([
  [-9, "n"],
  [-6, "u"],
  [-3, "m"],
  [0, ""],
  [3, "k"],
  [6, "M"],
  [9, "G"],
  [12, "T"],
  [15, "P"],
  [18, "E"],
]);

function decimalExponent(suffix: string): number {
  return [...DECIMAL_SUFFIXES].find(([, name]) => name === suffix)?.[0] ?? 0;
}

/** `digits / 10^decimals * 1024^power`: with the largest binary suffix that leaves an integer, else in thousandths. */
function binaryQuantity(digits: bigint, decimals: number, power: number): string {
  const thousandths = quotientRoundedUp(digits * 1024n ** BigInt(power) * 1000n, 10n ** BigInt(decimals));
  if (thousandths % 1000n !== 0n) return decimalQuantity(thousandths, -3, false);
  let units = thousandths / 1000n;
  let suffix = 0;
  while (units % 1024n === 0n && suffix < BINARY_SUFFIXES.length - 1) {
    units /= 1024n;
    suffix += 1;
  }
  return `${units}${BINARY_SUFFIXES[suffix] ?? ""}`;
}

/** `digits * 10^exponent`: with the largest suffix (or exponent of three) that leaves an integer; rounded up to thousandths. */
function decimalQuantity(digits: bigint, exponent: number, asExponent: boolean): string {
  let [units, scale] =
    exponent < -3 ? [quotientRoundedUp(digits, 10n ** BigInt(-3 - exponent)), -3] : [digits, exponent];
  while (units % 10n === 0n) {
    units /= 10n;
    scale += 1;
  }
  const target = Math.min(18, Math.floor(scale / 3) * 3);
  units *= 10n ** BigInt(Math.max(0, scale - target));
  if (asExponent) return target === 0 ? `${units}` : `${units}e${target}`;
  return `${units}${DECIMAL_SUFFIXES.get(target) ?? ""}`;
}

function quotientRoundedUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
