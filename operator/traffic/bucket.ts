import xxhash from "xxhash-wasm";
import { BUCKETS } from "./intervals.ts";

/** The bucket, 0 to 9,999, in which a user's key falls for the experiment that the salt names. */
export type Bucketer = (salt: string, key: string) => number;

/** Waits for the WebAssembly hash. The result agrees with Envoy's `hash_policy` bit for bit. */
export async function createBucketer(): Promise<Bucketer> {
  const hash = await xxhash();
  return (salt, key) => Number(hash.h64(`${salt}:${key}`, 0n) % BigInt(BUCKETS));
}
