import { LoadError } from "../load-error.ts";

/** A path that stays inside of its folder. Throws a LoadError for one that is absolute, climbs or hides. */
export function requireSafePath(path: string, source: string): string {
  const segments = path.split("/");
  const isSafe =
    path.length > 0 &&
    path.length <= 1024 &&
    !/[\\\0]/.test(path) &&
    segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
  if (isSafe) return path;
  throw new LoadError(
    "InvalidModel",
    `loading ${source}: it holds a file ${JSON.stringify(path.slice(0, 200))}, whose path could leave the model's folder`,
  );
}
