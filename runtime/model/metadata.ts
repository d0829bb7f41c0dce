import { readDocument } from "./json-document.ts";
import type { METADATA, Metadata } from "./metadata-schema.ts";
import { plainMetadata } from "./plain-documents.ts";

const MAX_BYTES = 4 * 1024 ** 2;

/** The folder's metadata.json; an empty one when there is none. Throws a LoadError that names the wrong fields. */
export async function readMetadata(folder: string, source: string): Promise<Metadata> {
  const document = { file: "metadata.json", plain: plainMetadata, schema, maxBytes: MAX_BYTES };
  return (await readDocument(folder, document, source)) ?? {};
}

const schema = async (): Promise<typeof METADATA> => (await import("./metadata-schema.ts")).METADATA;
