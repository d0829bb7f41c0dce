import { readDocument } from "./json-document.ts";
import { METADATA } from "./metadata-schema.ts";
import type { Metadata } from "./metadata-schema.ts";

const MAX_BYTES = 4 * 1024 ** 2;

/** The folder's metadata.json; an empty one when there is none. Throws a LoadError that names the wrong fields. */
export async function readMetadata(folder: string, source: string): Promise<Metadata> {
  return (await readDocument(folder, { file: "metadata.json", schema: METADATA, maxBytes: MAX_BYTES }, source)) ?? {};
}
