import { parseSinkAddress } from "./prediction-log/sink-address.ts";
import type { SinkAddress } from "./prediction-log/sink-address.ts";

/** What one variable means: `parse` returns its value, or throws a `TypeError` that says what is expected. */
export interface Setting<T> {
  readonly env: string;
  readonly help: string;
  /** How the default is shown by --help; absent for optional and secret settings. */
  readonly shown?: string;
  readonly parse: (text: string | undefined) => T;
}

const FLAGS = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);
const DIGEST = /^(?:sha256:)?([0-9a-f]{64})$/i;

export function required(env: string, help: string): Setting<string> {
  return {
    env,
    help,
    parse: (value) => {
      if (value === undefined) throw new TypeError(`${env} is not set: name the model's folder or URI`);
      return value;
    },
  };
}

export function text(env: string, fallback: string, help: string): Setting<string> {
  return { env, help, shown: fallback, parse: (value) => value ?? fallback };
}

export function optional(env: string, help: string): Setting<string | undefined> {
  return { env, help, parse: (value) => value };
}

export function integer(env: string, fallback: number, [least, most]: [number, number], help: string): Setting<number> {
  return checked({ env, help, fallback, ...wholeNumber(least, most) });
}

/** Undefined when unset. */
export function optionalInteger(
  env: string,
  [least, most]: [number, number],
  help: string,
): Setting<number | undefined> {
  return checked({ env, help, fallback: undefined, ...wholeNumber(least, most) });
}

export function share(env: string, fallback: number, help: string): Setting<number> {
  const read = (value: string): number | undefined => {
    const number = /^\d*\.?\d+(?:e-\d+)?$/i.test(value) ? Number(value) : Number.NaN;
    return number >= 0 && number <= 1 ? number : undefined;
  };
  return checked({ env, help, fallback, expected: "a number from 0 to 1", read });
}

export function flag<T extends boolean | undefined>(env: string, fallback: T, help: string): Setting<boolean | T> {
  const read = (value: string): boolean | undefined => FLAGS.get(value.toLowerCase());
  return checked({ env, help, fallback, expected: "true or false", read });
}

export function choice(env: string, choices: readonly string[], fallback: string, help: string): Setting<string> {
  const all = choices.join(", ");
  const read = (value: string): string | undefined => choices.find((each) => each === value);
  return checked({ env, help: `${help}: ${all}`, fallback, expected: `one of ${all}`, read });
}

export function digest(env: string, help: string): Setting<string | undefined> {
  const read = (value: string): string | undefined => DIGEST.exec(value)?.[1]?.toLowerCase();
  return checked({ env, help, fallback: undefined, expected: "64 hexadecimal digits", read });
}

/** Separated by commas, or a JSON list where names have commas. */
export function names(env: string, help: string): Setting<readonly string[]> {
  return {
    env,
    help,
    parse: (value = "") => {
      if (!value.startsWith("[")) return value.split(",").flatMap((name) => name.trim() || []);
      const list = jsonOf(value);
      if (Array.isArray(list) && list.every((name) => typeof name === "string")) return list;
      throw new TypeError(`${env} begins with [ but is no JSON list of texts`);
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function sink(env: string, help: string): Setting<SinkAddress | undefined> {
  return {
    env,
    help,
    parse: (value) => {
      try {
        return value === undefined ? undefined : parseSinkAddress(value);
      } catch (error) {
        if (error instanceof TypeError) throw new TypeError(`${env}: ${error.message}`, { cause: error });
        throw error;
      }
    },
  };
}

interface Checked<T, Fallback> {
  readonly env: string;
  readonly help: string;
  readonly fallback: Fallback;
  /** Ends the message about a value that is none. */
  readonly expected: string;
  /** Undefined for what is not as expected. */
  readonly read: (value: string) => T | undefined;
}

function checked<T, Fallback>({ env, help, fallback, expected, read }: Checked<T, Fallback>): Setting<T | Fallback> {
  return {
    env,
    help,
    ...(fallback !== undefined && { shown: String(fallback) }),
    parse: (text) => {
      if (text === undefined) return fallback;
      const value = read(text);
      if (value === undefined) throw new TypeError(`${env} is ${JSON.stringify(text)}: expected ${expected}`);
      return value;
    },
  };
}

function wholeNumber(least: number, most: number): Pick<Checked<number, unknown>, "expected" | "read"> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    read: (value) => {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      return number >= least && number <= most ? number : undefined;
    },
  };
}
