import { badRequest } from "../api-error.ts";
import { isObject, type JsonObject, type KubeObject } from "../objects.ts";

interface Token {
  /** Undefined: whatever there is now. */
  version: number | undefined;
  /** The position where the page begins. */
  start: string;
}

const tokenVersion = "meta.k8s.io/v1";
/** Stands in a token for "whatever there is now". */
const anyVersion = -1;

/** Where an object stands in a list of `listed`, or of all namespaces. */
export function positionOf({ metadata: { namespace, name } }: KubeObject, listed: string | undefined): string {
  return namespace === undefined || namespace === listed ? name : `${namespace}/${name}`;
}

/** A token for what comes after the position `last` in the state of `version`. */
export function writeToken(version: number, last: string): string {
  return encode(version, `${last}\0`);
}

/** A token for what is there now from `start` on. */
export function inconsistentToken(start: string): string {
  return encode(anyVersion, start);
}

function encode(rv: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: tokenVersion, rv, start })).toString("base64url");
}

/** Undefined for no token. @throws ApiError 400 when the token is not one */
export function readToken(text: string): Token | undefined {
  if (text === "") return undefined;
  const { v, rv, start } = decode(text);
  if (v !== tokenVersion)
    throw invalidToken(`server does not recognize this encoded version ${typeof v === "string" ? v : ""}`);
  if (rv === 0 || !Number.isInteger(rv))
    throw invalidToken(`incorrect encoded start resourceVersion (version ${tokenVersion})`);
  if (typeof start !== "string" || start === "")
    throw invalidToken(`encoded start key empty (version ${tokenVersion})`);
  if (start.split("/").some((part) => part === ".." || part === ".")) throw invalidToken(start);
  return { version: rv === anyVersion ? undefined : Number(rv), start: start.replace(/^\//, "") };
}

function decode(text: string): JsonObject {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (isObject(token)) return token;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalidToken("it was not made by this server");
}

function invalidToken(why: string): Error {
  return badRequest(`invalid continue token: continue key is not valid: ${why}`);
}
