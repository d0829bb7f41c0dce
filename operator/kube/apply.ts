import {
  apiVersionOf,
  formatKey,
  keyOf,
  objectPath,
  type KubeObject,
  type ObjectKey,
  type ResourceType,
} from "./objects.ts";
import { isInvalid, isNotFound, KubeError } from "./errors.ts";
import type { KubeClient } from "./transport.ts";

interface ApplyOptions {
  fieldManager: string;
  /** Take fields over from other managers: only for objects that the caller owns. */
  force: boolean;
  /** Answer as if applied, and change nothing. */
  dryRun?: boolean;
}

interface Preconditions {
  uid?: string | undefined;
  resourceVersion?: string | undefined;
}

export interface DeleteOptions extends Preconditions {
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
}

/** Server-side apply: `object` holds the fields that we own, and no others. Returns the object as it is now. */
export async function serverSideApply<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: KubeObject,
  options: ApplyOptions,
): Promise<T> {
  return apply(client, type, object, options);
}

/** The same for the status subresource. Always forced: status has one writer. */
export async function applyStatus<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: KubeObject,
  { fieldManager }: { fieldManager: string },
): Promise<T> {
  return apply(client, type, object, { fieldManager, force: true }, "status");
}

/**
 * A JSON merge patch. With a resourceVersion it fails as a conflict if the object changed since; with a uid, if it is
 * another object of that name.
 */
export async function patchMerge<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  key: ObjectKey,
  patch: object,
  options: Preconditions & { fieldManager: string },
): Promise<T> {
  return merge(client, type, key, patch, options);
}

/** Replaces the given fields of the status subresource by a merge patch; preconditions as for patchMerge. */
export async function patchStatus<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  key: ObjectKey,
  status: object,
  options: Preconditions & { fieldManager: string },
): Promise<T> {
  return merge(client, type, key, { status }, options, "status");
}

/** Whether there was something to delete. Throws a conflict when a precondition does not hold. */
export async function deleteObject(
  client: KubeClient,
  type: ResourceType,
  key: ObjectKey,
  { propagationPolicy = "Background", uid, resourceVersion }: DeleteOptions = {},
): Promise<boolean> {
  const body = {
    apiVersion: "v1",
    kind: "DeleteOptions",
    propagationPolicy,
    preconditions: { uid, resourceVersion },
  };
  try {
    await client.request("DELETE", objectPath(type, key), { body, action: describe("deleting", type, key) });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function apply<T>(
  client: KubeClient,
  type: ResourceType,
  object: KubeObject,
  { fieldManager, force, dryRun }: ApplyOptions,
  subresource?: "status",
): Promise<T> {
  const key = keyOf(object);
  return client.request<T>("PATCH", objectPath(type, key, subresource), {
    query: { fieldManager, force, fieldValidation: "Strict", dryRun: dryRun ? "All" : undefined },
    contentType: "application/apply-patch+yaml", // JSON is YAML
    body: { ...object, apiVersion: apiVersionOf(type), kind: type.kind },
    action: describe(subresource ? `applying the ${subresource} of` : "applying", type, key),
  });
}

async function merge<T>(
  client: KubeClient,
  type: ResourceType,
  key: ObjectKey,
  patch: object,
  { fieldManager, uid, resourceVersion }: Preconditions & { fieldManager: string },
  subresource?: "status",
): Promise<T> {
  try {
    return await client.request<T>("PATCH", objectPath(type, key, subresource), {
      query: { fieldManager },
      contentType: "application/merge-patch+json",
      body: withPreconditions(patch, { uid, resourceVersion }),
      action: describe(subresource ? `patching the ${subresource} of` : "patching", type, key),
    });
  } catch (error) {
    throw uid !== undefined && isOtherUid(error) ? asConflict(error) : error;
  }
}

/** The API server takes another uid in a patch for an attempt to change it. */
function isOtherUid(error: unknown): error is KubeError {
  return isInvalid(error) && (error.details?.causes ?? []).some(({ field }) => field === "metadata.uid");
}

function asConflict(error: KubeError): KubeError {
  return new KubeError(error.message, { status: 409, reason: "Conflict", details: error.details, cause: error });
}

function withPreconditions(patch: object, preconditions: Preconditions): object {
  const metadata = "metadata" in patch && typeof patch.metadata === "object" ? patch.metadata : {};
  return { ...patch, metadata: { ...metadata, ...preconditions } };
}

function describe(verb: string, type: ResourceType, key: ObjectKey): string {
  return `${verb} ${type.kind} ${formatKey(key)}`;
}
