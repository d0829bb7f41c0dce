const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL = ["", "k", "M", "G", "T", "P", "E"];

/** `512Mi` -> 536870912 (bytes), `250m` -> 0.25 (cores). @throws for what is no quantity */
export function amountOf(quantity: string): number {
  const [number, suffix] = split(quantity);
  if (suffix === "m") return number / 1000;
  const binary = BINARY.indexOf(suffix);
  return binary >= 0 ? number * 1024 ** binary : number * 1000 ** DECIMAL.indexOf(suffix);
}

function split(quantity: string): [number, string] {
  const parts = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)(m|[KMGTPE]i|[kMGTPE])?$/.exec(quantity);
  if (parts === null) throw new Error(`"${quantity}" is not a Kubernetes quantity`);
  return [Number(parts[1]), parts[2] ?? ""];
}
