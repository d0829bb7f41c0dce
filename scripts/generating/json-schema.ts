import * as z from "zod";

/** The published form of a document that the runtime reads: JSON Schema 2020-12 of what may be written. */
export function jsonSchema(name: string, schema: z.ZodType): string {
  const { $schema, title, description, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "throw",
    override({ zodSchema, jsonSchema: made }) {
      delete made.propertyNames; // it says that names are text
      const { examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (Array.isArray(examples)) made.examples = examples; // which zod leaves out where a value is transformed
    },
  });
  const $id = `https://slipway.dev/schemas/${name}`;
  return `${JSON.stringify({ $schema, $id, title, description, ...rest }, null, 2)}\n`;
}
