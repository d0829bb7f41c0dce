import type { BuiltInKind } from "./built-in-kinds.ts";
import { builtInKinds } from "./built-in-kinds.ts";
import type { Behaviour, Resource } from "./resource.ts";
import { builtInSchemas } from "../schema/built-in-schemas.ts";
import type { Schema } from "../schema/schema.ts";
import { builtInColumns } from "../tables/built-in-columns.ts";

/** Every kind that the server serves at the moment: the built-in ones, and those of established CRDs. */
export class Registry {
  /** The schema of metadata, which custom resources share. */
  readonly metadataSchema: Schema;
  private readonly resources: Resource[] = [];

  constructor(behaviours: ReadonlyMap<string, Behaviour>) {
    const schemas = builtInSchemas();
    this.metadataSchema = definition(schemas, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    for (const kind of builtInKinds) {
      this.resources.push(builtInResource(kind, definition(schemas, kind.schema), behaviours.get(kind.plural) ?? {}));
    }
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.resources.find(
      (resource) => resource.plural === plural && resource.version === version && resource.group === group,
    );
  }

  findByKind(apiVersion: string, kind: string): Resource | undefined {
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    return this.resources.find(
      (resource) => resource.kind === kind && resource.version === version && resource.group === group,
    );
  }

  /** One version of each stored kind. */
  storedKinds(): Resource[] {
    return [...new Map(this.resources.map((resource) => [resource.storageKey, resource])).values()];
  }

  all(): readonly Resource[] {
    return this.resources;
  }

  inGroupVersion(group: string, version: string): Resource[] {
    return this.resources.filter((resource) => resource.group === group && resource.version === version);
  }

  /** Serves `fresh` in the place of whatever was served of the same stored kind; none stops serving it. */
  replaceCustom(storageKey: string, fresh: readonly Resource[]): void {
    const kept = this.resources.filter((resource) => resource.storageKey !== storageKey);
    this.resources.splice(0, this.resources.length, ...kept, ...fresh);
  }
}

function definition(schemas: ReadonlyMap<string, Schema>, name: string): Schema {
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`loading the schema of ${name}: kubernetes.json has none`);
  return schema;
}

function builtInResource(kind: BuiltInKind, schema: Schema, behaviour: Behaviour): Resource {
  return {
    group: kind.group,
    version: kind.version,
    kind: kind.kind,
    listKind: `${kind.kind}List`,
    plural: kind.plural,
    singular: kind.kind.toLowerCase(),
    shortNames: kind.shortNames ?? [],
    categories: kind.categories ?? [],
    namespaced: kind.clusterScoped !== true,
    storageKey: storageKey(kind.group, kind.plural),
    hasStatus: kind.status === true,
    scale: kind.scale,
    countsGenerations: kind.generation === true,
    unconditionalUpdate: true,
    createOnUpdate: kind.createOnUpdate === true,
    deletesCollections: kind.kind !== "Namespace",
    answersDeletionsWithObject: ["Pod", "Service", "ServiceAccount"].includes(kind.kind),
    selectableFields: kind.selectableFields ?? [],
    isCustom: false,
    schema,
    rules: undefined,
    columns: builtInColumns(kind.plural),
    behaviour,
    nameFormat: kind.nameFormat ?? "subdomain",
  };
}

export function storageKey(group: string, plural: string): string {
  return group === "" ? plural : `${plural}.${group}`;
}
