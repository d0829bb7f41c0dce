import { z } from "zod";

/** Extensions of a Kubernetes structural schema that ride on a zod schema's metadata into the CRD. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
  readonly reason?: "FieldValueInvalid" | "FieldValueRequired" | "FieldValueForbidden";
}

export function rules(...list: Rule[]): { "x-kubernetes-validations": Rule[] } {
  return { "x-kubernetes-validations": list };
}

export const int = (minimum: number, maximum: number): z.ZodNumber => z.number().int().min(minimum).max(maximum);

const quantityPattern = "^[+-]?([0-9]+|[0-9]+\\.[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$";

/** A Kubernetes quantity such as `500m`, `2Gi` or 1. */
export const quantity = z
  .union([z.string().regex(new RegExp(quantityPattern)), z.number()])
  .meta({ intOrString: true, pattern: quantityPattern });

/** A list that server-side apply merges by `key`. */
export function listMap<Item extends z.ZodType>(item: Item, key: string, limits: { min?: number; max: number }) {
  return z
    .array(item)
    .min(limits.min ?? 0)
    .max(limits.max)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });
}
