/** Of a ModelDeployment's spec what tells where its versions come from. */
export interface Spec {
  source?: Source;
  versions?: readonly Version[];
}

interface Source {
  uri: string;
}

interface Version {
  name: string;
  source?: Source;
}

/** The short form of a single version calls it so. */
export const ONLY_VERSION = "v1";

interface Folder {
  /** Its own address. */
  uri: string;
  /** The copy of it that was the source last. */
  last: string;
  isCopy: (uri: string) => boolean;
}

/** Which version has the folder for its source, or why none can be said to. */
export type FolderVersion = { is: "version"; name: string } | { is: "none"; why: string };

/** A version that names the folder itself, else the copy that was its source last, else any copy of it. */
export function folderVersion({ source, versions }: Spec, folder: Folder): FolderVersion {
  const all = versions ?? [{ name: ONLY_VERSION, ...(source !== undefined && { source }) }];
  const kinds: ((uri: string) => boolean)[] = [
    (uri) => withoutSlash(uri) === withoutSlash(folder.uri),
    (uri) => uri === folder.last,
    folder.isCopy,
  ];
  for (const isOfKind of kinds) {
    const [first, ...more] = all.filter((version) => version.source !== undefined && isOfKind(version.source.uri));
    if (first === undefined) continue;
    if (more.length === 0) return { is: "version", name: first.name };
    const names = [first, ...more].map(({ name }) => name);
    return { is: "none", why: `more than one of its versions come from this folder (${names.join(", ")})` };
  }
  const others = all.map((version) => `${version.name} from ${version.source?.uri ?? "its image"}`);
  return { is: "none", why: `none of its versions comes from this folder (${others.join(", ")})` };
}

/** What a manager applies, with `source` as that of one version of the live spec. */
export function withSource<T extends Spec>(applied: T, live: Spec, version: string, source: Source): T {
  if (live.versions === undefined) return { ...applied, source };
  const own = applied.versions ?? [];
  const versions = own.some(({ name }) => name === version) ? own : [...own, { name: version }];
  return { ...applied, versions: versions.map((one) => (one.name === version ? { ...one, source } : one)) };
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, "");
}
