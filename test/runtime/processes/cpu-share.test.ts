import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { expect } from "chai";

import { readConfig } from "../../../runtime/config.ts";
import { cpuShare } from "../../../runtime/processes/cpu-share.ts";
import { Scratch } from "../support/scratch.ts";

describe("The CPUs that the cgroup allows", () => {
  const scratch = new Scratch();

  const machines: [title: string, files: Readonly<Record<string, string>>, cpus: number | undefined][] = [
    ["no cgroups at all", {}, undefined],
    ["version 2 without a limit", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n" }, undefined],
    ["version 2", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n" }, 2.5],
    [
      "version 2, where the pod is more limited than its container",
      {
        "proc/self/cgroup": "0::/kubepods/pod1/container\n",
        "sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/kubepods/pod1/container/cpu.max": "400000 100000\n",
      },
      2,
    ],
    [
      "version 1, where the path is the host's and the mount the container's own",
      {
        "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      },
      1.5,
    ],
    [
      "version 1 without a limit",
      {
        "proc/self/cgroup": "1:cpu:/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      },
      undefined,
    ],
  ];
  for (const [title, files, cpus] of machines) {
    it(`${cpus === undefined ? "are not known" : `are ${cpus}`}: ${title}`, async () => {
      const root = await scratch.folder({});
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), text);
      }
      expect(cpuShare(root)).to.equal(cpus);
    });
  }

  const shares: [cpus: number | undefined, set: Record<string, string>, processes: number, threads: number][] = [
    [undefined, {}, 1, 1],
    [0.5, {}, 1, 1],
    [2.5, {}, 2, 1],
    [8, {}, 8, 1],
    [8, { PROCESSES: "1" }, 1, 8],
    [8, { PROCESSES: "3" }, 3, 2],
    [2, { PROCESSES: "4" }, 4, 1],
    [8, { PROCESSES: "2", INTRA_OP_THREADS: "1" }, 2, 1],
    [undefined, { PROCESSES: "2", INTRA_OP_THREADS: "3" }, 2, 3],
  ];
  for (const [cpus, set, processes, intraOpThreads] of shares) {
    it(`become processes and threads: ${cpus ?? "no limit"} with ${JSON.stringify(set)} is ${processes} times ${intraOpThreads}`, () => {
      expect(readConfig({ MODEL_URI: "/model", ...set }, cpus)).to.include({ processes, intraOpThreads });
    });
  }
});
