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

/**
 * A quantity as the real server writes it back: a whole number with the largest suffix of the kind that was given
 * (`1.5Gi` is `1536Mi`, `0.5` is `500m`, `1000m` is `1`). What is no quantity stays as it is.
 */
export function canonicalQuantity(text: string): string {
  const match = /^([+-]?)(\d*)\.?(\d*)(n|u|m|k|M|G|T|P|E|[KMGTPE]i|[eE][+-]?\d+)?$/.exec(text);
  if (match === null || parseQuantity(text) === undefined) return text;
  const [, sign, whole = "", fraction = "", suffix = ""] = match;
  const digits = BigInt(`${whole}${fraction}` || "0");
  const negative = sign === "-" ? "-" : "";
  if (digits === 0n) return "0";
  if (suffix.endsWith("i")) {
    const bytes = (digits * 1024n ** BigInt(binarySuffixes.indexOf(suffix))) / 10n ** BigInt(fraction.length);
    if (bytes >= 1024n) return negative + withSuffix(bytes, 1024n, binarySuffixes);
    return negative + withSuffix(bytes * 10n ** 9n, 1000n, decimalSuffixes);
  }
  const exponent = /^[eE]/.test(suffix) ? Number(suffix.slice(1)) : (decimalSuffixes.indexOf(suffix) - 3) * 3;
  const shift = exponent + 9 - fraction.length;
  // What is finer than a billionth is rounded up.
  const nanos = shift >= 0 ? digits * 10n ** BigInt(shift) : (digits - 1n) / 10n ** BigInt(-shift) + 1n;
  if (!/^[eE]/.test(suffix)) return negative + withSuffix(nanos, 1000n, decimalSuffixes);
  const scientific = decimalSuffixes.map((_, index) => (index === 3 ? "" : `e${(index - 3) * 3}`));
  return negative + withSuffix(nanos, 1000n, scientific);
}

/** `value` counts units of the first suffix. */
function withSuffix(value: bigint, base: bigint, suffixes: readonly string[]): string {
  let [rest, index] = [value, 0];
  while (rest % base === 0n && index < suffixes.length - 1) [rest, index] = [rest / base, index + 1];
  return `${rest}${suffixes[index]}`;
}
