import { Environment } from "@marcbachmann/cel-js";
import { parseQuantity } from "../quantity.ts";

class Quantity {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

type Comparable = bigint | number | string | boolean | Date;

/** CEL as CRD rules speak it: the standard library plus those of Kubernetes' own functions that rules on specs use. */
export function celEnvironment(): Environment {
  const environment = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  return registerUrls(registerQuantities(registerLists(registerStrings(environment))));
}

function registerStrings(environment: Environment): Environment {
  return environment
    .registerFunction(
      "string.find(string): string",
      (text: string, pattern: string) => text.match(new RegExp(pattern, "u"))?.[0] ?? "",
    )
    .registerFunction(
      "string.findAll(string): list<string>",
      (text: string, pattern: string) => text.match(new RegExp(pattern, "gu")) ?? [],
    )
    .registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) =>
      text.replaceAll(from, () => to),
    )
    .registerFunction("string.charAt(int): string", (text: string, index: bigint) => text.charAt(Number(index)));
}

function registerLists(environment: Environment): Environment {
  return environment
    .registerFunction("list<dyn>.sum(): dyn", sum)
    .registerFunction("list<dyn>.min(): dyn", (list: Comparable[]) => extreme(list, (a, b) => a < b))
    .registerFunction("list<dyn>.max(): dyn", (list: Comparable[]) => extreme(list, (a, b) => a > b))
    .registerFunction("list<dyn>.isSorted(): bool", (list: Comparable[]) =>
      list.every((item, index) => index === 0 || (list[index - 1] ?? item) <= item),
    )
    .registerFunction("list<dyn>.indexOf(dyn): int", (list: Comparable[], item: Comparable) =>
      BigInt(list.indexOf(item)),
    )
    .registerFunction("list<dyn>.lastIndexOf(dyn): int", (list: Comparable[], item: Comparable) =>
      BigInt(list.lastIndexOf(item)),
    );
}

function sum(list: (bigint | number)[]): bigint | number {
  if (list.every((item) => typeof item === "bigint")) return list.reduce((total, item) => total + item, 0n);
  return list.reduce<number>((total, item) => total + Number(item), 0);
}

function extreme(list: Comparable[], better: (a: Comparable, b: Comparable) => boolean): Comparable {
  const [first, ...rest] = list;
  if (first === undefined) throw new Error("min/max called on empty list");
  return rest.reduce((best, item) => (better(item, best) ? item : best), first);
}

function registerQuantities(environment: Environment): Environment {
  const quantity = (text: string): Quantity => {
    const value = parseQuantity(text);
    if (value === undefined) throw new Error(`"${text}" is no quantity`);
    return new Quantity(value);
  };
  return environment
    .registerType("kubernetes.Quantity", Quantity)
    .registerFunction("isQuantity(string): bool", (text: string) => parseQuantity(text) !== undefined)
    .registerFunction("quantity(string): kubernetes.Quantity", quantity)
    .registerFunction("kubernetes.Quantity.sign(): int", (a: Quantity) => BigInt(Math.sign(a.value)))
    .registerFunction(
      "kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool",
      (a: Quantity, b: Quantity) => a.value > b.value,
    )
    .registerFunction(
      "kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool",
      (a: Quantity, b: Quantity) => a.value < b.value,
    )
    .registerFunction("kubernetes.Quantity.compareTo(kubernetes.Quantity): int", (a: Quantity, b: Quantity) =>
      BigInt(Math.sign(a.value - b.value)),
    );
}

function registerUrls(environment: Environment): Environment {
  return environment
    .registerType("kubernetes.URL", URL)
    .registerFunction("isURL(string): bool", (text: string) => isAbsolute(text))
    .registerFunction("url(string): kubernetes.URL", (text: string) => {
      if (!isAbsolute(text)) throw new Error(`"${text}" is no URL`);
      return new URL(text, "file:///");
    })
    .registerFunction("kubernetes.URL.getScheme(): string", (url: URL) => url.protocol.replace(/:$/, ""))
    .registerFunction("kubernetes.URL.getHost(): string", (url: URL) => url.host)
    .registerFunction("kubernetes.URL.getHostname(): string", (url: URL) => url.hostname)
    .registerFunction("kubernetes.URL.getPort(): string", (url: URL) => url.port)
    .registerFunction("kubernetes.URL.getEscapedPath(): string", (url: URL) => url.pathname);
}

/** An absolute URI or an absolute path, which is what the real library takes. */
function isAbsolute(text: string): boolean {
  return text.startsWith("/") || URL.canParse(text);
}
