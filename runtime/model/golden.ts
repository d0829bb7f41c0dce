import type { GOLDEN, Golden } from "./golden-schema.ts";
import { readDocument } from "./json-document.ts";
import { plainGolden } from "./plain-documents.ts";

/** Room for some dozen images as lists of numbers. */
const MAX_BYTES = 16 * 1024 ** 2;

/** The folder's golden.json; undefined when there is none. Throws a LoadError that names the wrong fields. */
export function readGolden(folder: string, source: string): Promise<Golden | undefined> {
  return readDocument(folder, { file: "golden.json", plain: plainGolden, schema, maxBytes: MAX_BYTES }, source);
}

const schema = async (): Promise<typeof GOLDEN> => (await import("./golden-schema.ts")).GOLDEN;
