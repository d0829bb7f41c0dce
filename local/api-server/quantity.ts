const multipliers: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity (`500m`, `2Gi`, `1e3`) as a number; undefined when it is none. */
export function parseQuantity(text: string): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return undefined;
  const [, digits = "", exponent, suffix = ""] = match;
  return exponent === undefined ? Number(digits) * (multipliers[suffix] ?? 1) : Number(digits + exponent);
}

const decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** Of a billionth, below which everything is rounded up to one. */
const leastPower = -9;
const largestSuffixPower = 18;
/** What binary suffixes lead beyond is cut to this. */
const largestInteger = 2n ** 63n - 1n;

/**
 * A quantity as the real server writes it back: a whole number with the largest suffix of the kind that was given
 * (`1.5Gi` is `1536Mi`, `0.5` is `500m`, `1000m` is `1`). What is no quantity stays as it is.
 */
export function canonicalQuantity(text: string): string {
  const match = /^([+-]?)(\d*)\.?(\d*)(n|u|m|k|M|G|T|P|E|[KMGTPE]i|[eE][+-]?\d+)?$/.exec(text);
  if (match === null || parseQuantity(text) === undefined) return text;
  const [, sign, whole = "", fraction = "", suffix = ""] = match;
  const digits = BigInt(`${whole}${fraction}` || "0");
  if (digits === 0n) return "0";
  const negative = sign === "-" ? "-" : "";
  if (suffix.endsWith("i")) return negative + canonicalBinary(digits, fraction.length, suffix);
  const isScientific = /^[eE]./.test(suffix);
  const exponent = isScientific ? Number(suffix.slice(1)) : (decimalSuffixes.indexOf(suffix) - 3) * 3;
  if (!Number.isSafeInteger(exponent)) return text;
  return negative + (isScientific ? scientific : decimal)(digits, exponent - fraction.length);
}

function canonicalBinary(digits: bigint, fractionDigits: number, suffix: string): string {
  const bytes = digits * 1024n ** BigInt(binarySuffixes.indexOf(suffix));
  const unit = 10n ** BigInt(fractionDigits);
  if (bytes % unit !== 0n || bytes < 1024n * unit) return decimal(bytes, -fractionDigits);
  let [rest, index] = [bytes / unit, 0];
  if (rest > largestInteger) rest = largestInteger;
  while (rest % 1024n === 0n && index < binarySuffixes.length - 1) [rest, index] = [rest / 1024n, index + 1];
  return `${rest}${binarySuffixes[index]}`;
}

/** `digits` times ten to the `power`, with a suffix. */
function decimal(digits: bigint, power: number): string {
  const { mantissa, exponent } = inThousands(digits, power, largestSuffixPower);
  return `${mantissa}${decimalSuffixes[exponent / 3 + 3]}`;
}

function scientific(digits: bigint, power: number): string {
  const { mantissa, exponent } = inThousands(digits, power, Number.POSITIVE_INFINITY);
  return exponent === 0 ? mantissa : `${mantissa}e${exponent}`;
}

/** With the largest exponent that is a multiple of three, at most `most`. Text, since an exponent may be of any size. */
function inThousands(digits: bigint, power: number, most: number): { mantissa: string; exponent: number } {
  const finer = leastPower - power;
  const rounded = finer <= 0 ? `${digits}` : roundedUp(digits, finer);
  const significant = rounded.replace(/0+$/, "");
  const shifted = Math.max(power, leastPower) + rounded.length - significant.length;
  const exponent = Math.min(Math.floor(shifted / 3) * 3, most);
  return { mantissa: significant + "0".repeat(shifted - exponent), exponent };
}

/** Without its last `places`. */
function roundedUp(digits: bigint, places: number): string {
  return places >= `${digits}`.length ? "1" : `${(digits - 1n) / 10n ** BigInt(places) + 1n}`;
}
