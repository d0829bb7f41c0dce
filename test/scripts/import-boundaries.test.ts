import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect } from "chai";

/** What the check says of a project that has only this file. */
async function check(path: string, source: string): Promise<{ status: number | null; stderr: string }> {
  const project = await mkdtemp(join(tmpdir(), "boundaries-"));
  try {
    await mkdir(join(project, dirname(path)), { recursive: true });
    await writeFile(join(project, path), source);
    await writeFile(join(project, "package.json"), JSON.stringify({ dependencies: { undici: "8.0.0" } }));
    const script = resolve("scripts/linting/import-boundaries.ts");
    return spawnSync(process.execPath, [script], { cwd: project, encoding: "utf8" });
  } finally {
    await rm(project, { recursive: true });
  }
}

describe("The import check", () => {
  for (const [path, source] of [
    ["operator/plan/a.ts", `import { b } from "../traffic/b.ts"; import { createHash } from "node:crypto";`],
    ["operator/status/a.ts", `import type { V1Pod } from "@kubernetes/client-node";`],
    ["operator/api/a.ts", `import { b } from "../../runtime/contract.ts";`],
    ["operator/kube/a.ts", `import { request } from "undici"; import { join } from "node:path";`],
    ["operator/main.ts", `import { b } from "./reconcile/b.ts";`],
    ["local/kubelet/a.ts", `import { b } from "../cluster/b.ts";`],
    ["test/a.test.ts", `import { b } from "../local/router/b.ts";`],
  ] as const)
    it(`allows in ${path}: ${source}`, async () => {
      expect(await check(path, source)).to.include({ status: 0, stderr: "" });
    });

  for (const [path, source] of [
    ["operator/traffic/a.ts", `import { b } from "../plan/b.ts";`],
    ["operator/traffic/a.ts", `import type { B } from "../plan/b.ts";`],
    ["operator/plan/a.ts", `type B = import("../reconcile/b.ts").B;`],
    ["operator/plan/a.ts", `export * from "../resources/b.ts";`],
    ["operator/plan/a.ts", `import { readFile } from "node:fs/promises";`],
    ["operator/resources/a.ts", `import { KubeConfig } from "@kubernetes/client-node";`],
    ["operator/kube/a.ts", `import { b } from "../api/b.ts";`],
    ["operator/kube/a.ts", `import fc from "fast-check";`],
    ["operator/reconcile/a.ts", `import { b } from "../cli/b.ts";`],
    ["operator/operator.ts", `import { b } from "../runtime/config.ts";`],
    ["runtime/http/a.ts", `const b = await import("../../operator/config.ts");`],
    ["local/router/a.ts", `import { b } from "../../operator/traffic/b.ts";`],
    ["local/kubelet/a.ts", `import { b } from "../api-server/b.ts";`],
  ] as const)
    it(`refuses in ${path}: ${source}`, async () => {
      const { status, stderr } = await check(path, source);
      expect(status).to.equal(1);
      expect(stderr).to.match(new RegExp(`^${path}:1: imports \\S+[:,]? `));
    });
});
