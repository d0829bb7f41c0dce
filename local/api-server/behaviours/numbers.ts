import { invalidField, type FieldError } from "../api-error.ts";
import { numberAt, type JsonObject } from "../objects.ts";

/** The errors of those of `fields` that hold a number below 0. */
export function negativeErrors(object: JsonObject, fields: readonly string[], at: string): FieldError[] {
  return fields.flatMap((field) => {
    const value = numberAt(object, field) ?? 0;
    return value < 0 ? [invalidField(`${at}.${field}`, value, "must be greater than or equal to 0")] : [];
  });
}

const percentRule =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** The errors of a field that holds a number of pods or a part of them in percent. */
export function countOrPercentErrors(object: JsonObject, field: string, at: string, mostPercent = 100): FieldError[] {
  const value = object[field];
  if (typeof value === "number") return negativeErrors(object, [field], at);
  if (typeof value !== "string") return [];
  if (!/^[0-9]+%$/.test(value)) return [invalidField(`${at}.${field}`, value, percentRule)];
  const tooMuch = Number.parseInt(value, 10) > mostPercent;
  return tooMuch ? [invalidField(`${at}.${field}`, value, `must not be greater than ${mostPercent}%`)] : [];
}
