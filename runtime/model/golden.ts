import { GOLDEN } from "./golden-schema.ts";
import type { Golden } from "./golden-schema.ts";
import { readDocument } from "./json-document.ts";

/** Room for some dozen images as lists of numbers. */
const MAX_BYTES = 16 * 1024 ** 2;

/** The folder's golden.json; undefined when there is none. Throws a LoadError that names the wrong fields. */
export function readGolden(folder: string, source: string): Promise<Golden | undefined> {
  return readDocument(folder, { file: "golden.json", schema: GOLDEN, maxBytes: MAX_BYTES }, source);
}
