import { LoadError } from "../load-error.ts";

/** Throws a LoadError (DigestMismatch) when the spec pins another digest. */
export function requireDigest(uri: string, actual: string, expected: string | undefined): void {
  if (expected === undefined || expected === actual) return;
  throw new LoadError(
    "DigestMismatch",
    `loading ${uri}: sha256 is ${actual}, spec says ${expected}; was the artifact overwritten? Pin a new path, or update sha256`,
  );
}
