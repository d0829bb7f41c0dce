import type { JsonObject, KubeObject } from "../objects.ts";
import type { Column } from "./columns.ts";

/** How much of each object a table's rows carry (`includeObject`). */
export type IncludeObject = "None" | "Metadata" | "Object";

interface TableOptions {
  columns: readonly Column[];
  metadata: JsonObject;
  include: IncludeObject;
  /** Watch events after the first leave the column definitions out. */
  withDefinitions: boolean;
  now: number;
}

/** A `meta.k8s.io/v1` Table, which is what kubectl asks for to print. */
export function table(objects: readonly KubeObject[], options: TableOptions): JsonObject {
  const { columns, metadata, include, withDefinitions, now } = options;
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: withDefinitions
      ? columns.map(({ name, type, format, description, priority }) => ({ name, type, format, description, priority }))
      : null,
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      object: include === "Object" ? object : include === "None" ? null : partialMetadata(object),
    })),
  };
}

export function partialMetadata(object: KubeObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}
