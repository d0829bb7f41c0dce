import { z } from "zod";

/** Building blocks of the pod template: every field may be left out, as in a patch; fields that are not there are mistakes. */
export function optional<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape).exactPartial();
}

/** The same for what a strategic merge patch may also take away or put in the place of what is there. */
export function patchable<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject({ $patch: z.enum(["merge", "replace", "delete"]), ...shape }).exactPartial();
}

export const text = z.string().max(1_024);
export const named = z.string().min(1).max(253);
export const strings = z.array(text).max(256);

export const labelSelector = optional({
  matchLabels: z.record(z.string(), z.string()),
  matchExpressions: z
    .array(optional({ key: text, operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]), values: strings }))
    .max(32),
});
