import { withTable } from "./table.ts";

/** As far as our own schemas go. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly enum?: readonly string[];
}

/** A page whose table between `<!-- NAME -->` and `<!-- /NAME -->` has each field of a JSON Schema. */
export function withSchemaTable(page: string, name: string, jsonSchema: string): string {
  return withTable(page, name, ["Key", "JSON", "Meaning"], rowsOf(JSON.parse(jsonSchema) as Schema, ""));
}

function rowsOf(schema: Schema, prefix: string): (readonly [key: string, type: string, meaning: string])[] {
  return formsOf(schema).flatMap((form) => {
    if (form.items) return rowsOf(form.items, `${prefix.replace(/\.$/, "")}[].`);
    return Object.entries(form.properties ?? {}).flatMap(([key, property]) => {
      const isRequired = form.required?.includes(key) ?? false;
      const meaning = `${isRequired ? "**required** " : ""}${property.description ?? ""}`.replaceAll(
        "|",
        String.raw`\|`,
      );
      return [[`\`${prefix}${key}\``, typeOf(property), meaning] as const, ...rowsOf(property, `${prefix}${key}.`)];
    });
  });
}

/** What a value may be, without null. */
const formsOf = (schema: Schema): readonly Schema[] => (schema.anyOf ? schema.anyOf.flatMap(formsOf) : [schema]);

function typeOf(schema: Schema): string {
  const types = formsOf(schema).flatMap(({ type = "any", enum: options, items }) => {
    if (options) return options.map((option) => `\`"${option}"\``);
    return items?.type === undefined && items?.anyOf === undefined ? type : `list of ${typeOf(items)}`;
  });
  const unlike = [...new Set(types)].filter((type) => type !== "null");
  return unlike.map((type) => ({ array: "list", any: "anything" })[type] ?? type).join(", ");
}
