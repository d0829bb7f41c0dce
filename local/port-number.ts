import { InvalidArgumentError } from "commander";

/** A flag's value. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  throw new InvalidArgumentError("Give a number from 1 to 65535.");
}
