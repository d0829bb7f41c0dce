import { badRequest } from "../api-error.ts";

/** A flag of a query, as the real server reads it: its name alone means yes, and so does all but `false` and `0`. */
export function flagOf(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !["false", "0"].includes(value.toLowerCase());
}

/** Undefined when the query does not say. @throws ApiError 400 for what is no whole number */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? "";
  if (text === "") return undefined;
  if (/^[-+]?\d+$/.test(text)) return Number(text);
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}
