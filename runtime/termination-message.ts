import { writeFileSync } from "node:fs";

import type { TerminationMessage } from "./contract.ts";
import type { LoadError } from "./load-error.ts";

/** Kubernetes cuts a longer message in the middle, which would leave broken JSON. */
const MAX_BYTES = 4096;

/** One JSON line of at most 4096 bytes; a longer message is cut at a character. */
export function terminationMessage(error: LoadError): string {
  const line = (message: string): string => {
    const content: TerminationMessage = { reason: error.reason, message, permanent: error.permanent };
    return `${JSON.stringify(content)}\n`;
  };
  const fits = (message: string): boolean => Buffer.byteLength(line(message)) <= MAX_BYTES;
  if (fits(error.message)) return line(error.message);

  const characters = Array.from(error.message.slice(0, MAX_BYTES));
  let fitting = 0;
  let tooMany = characters.length + 1;
  while (tooMany - fitting > 1) {
    const middle = Math.floor((fitting + tooMany) / 2);
    if (fits(`${characters.slice(0, middle).join("")}…`)) fitting = middle;
    else tooMany = middle;
  }
  return line(`${characters.slice(0, fitting).join("")}…`);
}

/** Synchronous, since it is the last thing before the exit. Throws the file system's error. */
export function writeTerminationMessage(path: string, error: LoadError): void {
  writeFileSync(path, terminationMessage(error));
}
