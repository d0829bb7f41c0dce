import { join } from "node:path";

/**
 * A process sees the machine's files, not an image's: what a container has mounted at `/models` lies at `<root>/models`.
 * Values that are, lie below or contain such a path are rewritten; all others are left alone.
 */
export class ContainerPaths {
  readonly root: string;
  private readonly mapped: readonly string[];

  /** @param mapped absolute container paths that exist below `root`: mount points and the termination message's file */
  constructor(root: string, mapped: readonly string[]) {
    this.root = root;
    this.mapped = mapped.map(withoutTrailingSlash);
  }

  /** The machine's path for an absolute path of the container. */
  inside(path: string): string {
    return join(this.root, path);
  }

  /** Rewrites a whole value (an environment value, an argument, also `--flag=/path`). */
  localise(value: string): string {
    const flag = /^--?[\w-]+=(?=\/)/.exec(value)?.[0] ?? "";
    const path = value.slice(flag.length);
    return this.isMapped(path) ? flag + this.inside(path) : value;
  }

  private isMapped(value: string): boolean {
    const path = withoutTrailingSlash(value);
    if (!path.startsWith("/") || path === "") return false;
    return this.mapped.some((mapped) => isWithin(path, mapped) || isWithin(mapped, path));
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function withoutTrailingSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
