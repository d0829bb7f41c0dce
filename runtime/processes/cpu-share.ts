import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * How many CPUs the cgroups of this process let it use at a time (version 1 or 2); undefined when they set no limit.
 * `root` is where the file system's root is.
 */
export function cpuShare(root = "/"): number | undefined {
  const lines = (read(join(root, "proc/self/cgroup")) ?? "").split("\n");
  const limits = lines.flatMap((line) => {
    const [, controllers = "", path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (line.startsWith("0::")) return limitsAlong(join(root, "sys/fs/cgroup"), path, limitOfVersion2);
    if (!controllers.split(",").includes("cpu")) return [];
    // Both the controllers' own names and the shorter one are in use.
    return [controllers, "cpu"].flatMap((folder) =>
      limitsAlong(join(root, "sys/fs/cgroup", folder), path, limitOfVersion1),
    );
  });
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/**
 * Limits of the group and of those that hold it. In a container the path may be the host's while the mount begins at the
 * container's own group: the parts that are not there are passed over.
 */
function limitsAlong(mount: string, path: string, limitOf: (folder: string) => number | undefined): number[] {
  const folders = [mount];
  for (let part = path; part !== "/" && part !== "."; part = dirname(part)) folders.push(join(mount, part));
  return folders.flatMap((folder) => limitOf(folder) ?? []);
}

/** `cpu.max` is `QUOTA PERIOD`, or `max PERIOD`. */
function limitOfVersion2(folder: string): number | undefined {
  return ratio(...(read(join(folder, "cpu.max")) ?? "").trim().split(" "));
}

/** The quota is -1 when there is none. */
function limitOfVersion1(folder: string): number | undefined {
  return ratio(read(join(folder, "cpu.cfs_quota_us")), read(join(folder, "cpu.cfs_period_us")));
}

function ratio(quota = "", period = ""): number | undefined {
  const share = Number.parseInt(quota, 10) / Number.parseInt(period, 10);
  return share > 0 && Number.isFinite(share) ? share : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // no such controller, or none of our business: then it limits nothing that we know of
  }
}
