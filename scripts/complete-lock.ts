/**
 * Adds to package-lock.json the packages for other platforms that `npm install` left out because the registry it asked
 * did not have them: without them `npm ci` refuses the lock everywhere. Run it after each `npm install`.
 */
import { readFileSync, writeFileSync } from "node:fs";

const LOCK = "package-lock.json";
const OS = /[-/](android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32|wasm32)(?:-|$)/;
const CPU = /[-/](arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64|wasi)(?:-|$)/;

interface LockedPackage {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const lock = JSON.parse(readFileSync(LOCK, "utf8")) as { packages: Record<string, LockedPackage> };
const added: [string, LockedPackage][] = Object.entries(lock.packages).flatMap(
  ([place, { dev, optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(
        ([name]) => !(`${place}/node_modules/${name}` in lock.packages) && !(`node_modules/${name}` in lock.packages),
      )
      .filter(([, version]) => /^\d/.test(version))
      .map(([name, version]) => [
        `node_modules/${name}`,
        { version, ...(dev && { dev }), optional: true, ...platform(name) },
      ]),
);
const packages = [...Object.entries(lock.packages), ...added].sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(LOCK, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
console.log(`${added.length} packages for other platforms added to ${LOCK}`);

/** As the names of such packages say it: `@oxfmt/binding-linux-arm64-musl`. */
function platform(name: string): LockedPackage {
  const os = OS.exec(name)?.[1];
  const cpu = CPU.exec(name)?.[1];
  if (os === undefined) return {};
  const libc = name.includes("musl") ? "musl" : os === "linux" && name.includes("gnu") ? "glibc" : undefined;
  return {
    os: [os === "wasm32" ? "none" : os],
    cpu: [cpu === undefined || cpu === "wasi" ? "none" : cpu],
    ...(libc && { libc: [libc] }),
  };
}
