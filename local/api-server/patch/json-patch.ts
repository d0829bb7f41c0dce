import jsonPatch, { unescapePathComponent } from "fast-json-patch";
import type { Operation } from "fast-json-patch";
import { ApiError, badRequest } from "../api-error.ts";
import { copyJson, isObject, type JsonObject } from "../objects.ts";

/** How many operations one patch may have; the real server's limit. */
const maximumOperations = 10_000;
/** What all copies of one patch may add: each may double the object. The real server's limit, too. */
const maximumCopiedCharacters = 3 * 1024 * 1024;

/** RFC 6902. A patch that does not fit the object is a 422 without details, as on the real server. */
export function applyJsonPatch(target: JsonObject, operations: unknown): JsonObject {
  if (!Array.isArray(operations)) throw badRequest("error decoding patch: a JSON patch is a list of operations");
  if (operations.length > maximumOperations) {
    throw new ApiError(
      413,
      "RequestEntityTooLarge",
      `The allowed maximum operations in a JSON patch is ${maximumOperations}, got ${operations.length}`,
    );
  }
  try {
    const patched = applyAll(copyJson(target), operations as Operation[]);
    if (isObject(patched)) return patched;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  throw new ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {});
}

function applyAll(target: JsonObject, operations: readonly Operation[]): JsonObject {
  let copied = 0;
  return operations.reduce<JsonObject>((document, operation) => {
    copied += sizeOfCopy(document, operation);
    if (copied > maximumCopiedCharacters) throw new RangeError("the patch copies too much");
    return applyOne(document, operation);
  }, target);
}

function sizeOfCopy(document: JsonObject, operation: Operation): number {
  if (operation.op !== "copy") return 0;
  return JSON.stringify(jsonPatch.getValueByPointer(document, operation.from) ?? null).length;
}

/** The real server's `replace` also sets a field that its object does not have yet. */
function applyOne(document: JsonObject, operation: Operation): JsonObject {
  const fresh = operation.op === "replace" && isMissingField(document, operation.path);
  const one: Operation = fresh ? { ...operation, op: "add" } : operation;
  return jsonPatch.applyOperation(document, one, true).newDocument;
}

function isMissingField(document: JsonObject, path: string): boolean {
  const parent: unknown = jsonPatch.getValueByPointer(document, path.slice(0, path.lastIndexOf("/")));
  const name = unescapePathComponent(path.slice(path.lastIndexOf("/") + 1));
  return isObject(parent) && !Object.hasOwn(parent, name);
}
