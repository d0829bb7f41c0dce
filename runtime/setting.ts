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
  return {
    env,
    help,
    shown: String(fallback),
    parse: (value) => {
      if (value === undefined) return fallback;
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= least && number <= most)) {
        throw new TypeError(`${env} is ${JSON.stringify(value)}: expected a whole number from ${least} to ${most}`);
      }
      return number;
    },
  };
}

/** At least one; undefined when unset. */
export function count(env: string, most: number, help: string): Setting<number | undefined> {
  const { parse } = integer(env, 1, [1, most], help);
  return { env, help, parse: (value) => (value === undefined ? undefined : parse(value)) };
}

export function port(env: string, help: string): Setting<number | undefined> {
  const { parse } = integer(env, 0, [0, 65_535], help);
  return { env, help, parse: (value) => (value === undefined ? undefined : parse(value)) };
}

export function share(env: string, fallback: number, help: string): Setting<number> {
  return {
    env,
    help,
    shown: String(fallback),
    parse: (value) => {
      if (value === undefined) return fallback;
      const number = /^\d*\.?\d+(?:e-\d+)?$/i.test(value) ? Number(value) : Number.NaN;
      if (number >= 0 && number <= 1) return number;
      throw new TypeError(`${env} is ${JSON.stringify(value)}: expected a number from 0 to 1`);
    },
  };
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

export function flag<T extends boolean | undefined>(env: string, fallback: T, help: string): Setting<boolean | T> {
  return {
    env,
    help,
    ...(fallback !== undefined && { shown: String(fallback) }),
    parse: (value) => {
      if (value === undefined) return fallback;
      if (!["true", "1", "false", "0"].includes(value.toLowerCase())) {
        throw new TypeError(`${env} is ${JSON.stringify(value)}: expected true or false`);
      }
      return ["true", "1"].includes(value.toLowerCase());
    },
  };
}

export function choice(env: string, choices: readonly string[], fallback: string, help: string): Setting<string> {
  return {
    env,
    help: `${help}: ${choices.join(", ")}`,
    shown: fallback,
    parse: (value) => {
      if (value === undefined) return fallback;
      if (!choices.includes(value)) {
        throw new TypeError(`${env} is ${JSON.stringify(value)}: expected one of ${choices.join(", ")}`);
      }
      return value;
    },
  };
}

export function digest(env: string, help: string): Setting<string | undefined> {
  return {
    env,
    help,
    parse: (value) => {
      if (value === undefined) return undefined;
      const hex = DIGEST.exec(value)?.[1];
      if (hex === undefined) throw new TypeError(`${env} is ${JSON.stringify(value)}: expected 64 hexadecimal digits`);
      return hex.toLowerCase();
    },
  };
}
