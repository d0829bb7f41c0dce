import type { FieldError } from "../api-error.ts";
import type { JsonObject, KubeObject } from "../objects.ts";
import type { CompiledRules } from "../schema/cel-rules.ts";
import type { Schema } from "../schema/schema.ts";
import type { Column } from "../tables/columns.ts";

/** Where a kind with a scale subresource keeps its numbers: paths such as `.spec.replicas`. */
export interface ScalePaths {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
}

/** What one kind does beyond plain storage. The functions change the fresh copy that they are given. */
export interface Behaviour {
  /** Fills in what the user left out, on every write. */
  applyDefaults?(object: JsonObject): void;
  /** Sets what only the server may set on a new object. */
  prepareForCreate?(object: JsonObject): void;
  /** Carries over what an update may not change. */
  prepareForUpdate?(object: JsonObject, old: KubeObject): void;
  /** Finalizers that a deletion adds, for what the server itself has to clean up. */
  deletionFinalizers?: readonly string[];
  /** `old` is undefined on create. */
  validate?(object: JsonObject, old: KubeObject | undefined): FieldError[];
}

/** One served kind of one API version. */
export interface Resource {
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  /** Versions of one custom resource share their storage. */
  storageKey: string;
  hasStatus: boolean;
  scale: ScalePaths | undefined;
  /** Whether metadata.generation counts the changes of spec. */
  countsGenerations: boolean;
  /** Whether PUT without a resourceVersion is accepted. */
  unconditionalUpdate: boolean;
  /** Whether PUT of an absent object creates it. */
  createOnUpdate: boolean;
  deletesCollections: boolean;
  /** Whether the answer to a deletion is the object that is gone, not a Status. */
  answersDeletionsWithObject: boolean;
  /** Field selectors beyond metadata.name and metadata.namespace. */
  selectableFields: readonly string[];
  isCustom: boolean;
  schema: Schema;
  rules: CompiledRules | undefined;
  columns: readonly Column[];
  behaviour: Behaviour;
  nameFormat: "subdomain" | "label" | "path";
}

export function groupVersion(resource: { group: string; version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}
