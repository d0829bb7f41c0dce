/** Checks who imports whom against ZONES below: the architecture of docs/architecture.md, as a table. */
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import { lineAt, sourceFiles } from "./source-files.ts";
import type { SourceFile } from "./source-files.ts";

interface Zone {
  /** A folder or a file. The first zone that holds a file is the file's. */
  readonly path: string;
  /** What its files may import beside files of the same zone. */
  readonly imports: readonly string[];
  /** The only packages and Node modules that it may import; without it any. `type X`: its types only. */
  readonly packages?: readonly string[];
}

/** Deciding is apart from doing: no client, clock, file or process gets into these. */
const PURE = ["zod", "yaml", "xxhash-wasm", "node:crypto", "type @kubernetes/client-node"];
const CONTRACT = "runtime/contract.ts";

const ZONES: readonly Zone[] = [
  { path: "operator/api", imports: [CONTRACT], packages: PURE },
  { path: "operator/traffic", imports: ["operator/api"], packages: PURE },
  { path: "operator/plan", imports: ["operator/api", "operator/traffic", CONTRACT], packages: PURE },
  {
    path: "operator/resources",
    imports: ["operator/api", "operator/traffic", "operator/plan", CONTRACT],
    packages: PURE,
  },
  { path: "operator/status", imports: ["operator/api", "operator/traffic", "operator/plan", CONTRACT], packages: PURE },
  { path: "operator/kube", imports: [] },
  { path: "operator/observability", imports: ["operator/api", "operator/kube"] },
  { path: "operator/mlflow", imports: ["operator/kube", "operator/plan"] },
  {
    path: "operator/reconcile",
    imports: [
      ...["api", "traffic", "plan", "resources", "status", "kube"].map((folder) => `operator/${folder}`),
      CONTRACT,
    ],
  },
  { path: "operator/cli", imports: ["operator/api", "operator/kube", "operator/reconcile"] },
  // The files at the top of operator/ and of local/ put the parts together: they may import all below them.
  { path: "operator", imports: [] },

  { path: CONTRACT, imports: [], packages: [] },
  { path: "runtime", imports: ["package.json"] },

  // The parts of the local cluster know each other by HTTP and by files only, as those of a real one do.
  { path: "local/api-server", imports: [] },
  { path: "local/cluster", imports: [] },
  { path: "local/router", imports: [] },
  // objects.ts, quantity.ts and selector.ts are plain data; what a controller wants of the server it asks over HTTP.
  {
    path: "local/controllers",
    imports: ["local/cluster", ...["objects", "quantity", "selector"].map((data) => `local/api-server/${data}.ts`)],
  },
  { path: "local/service-proxy", imports: ["local/cluster"] },
  { path: "local/kubelet", imports: ["local/cluster", "local/process-identity.ts", "local/config.ts"] },
  { path: "local", imports: ["runtime/source/file-tree.ts"] },

  {
    path: "scripts",
    imports: [
      "operator/api",
      "runtime/model/golden-schema.ts",
      "runtime/model/metadata-schema.ts",
      "runtime/source/file-tree.ts",
      ".mocharc.json",
    ],
  },
  { path: "bench", imports: ["operator", "runtime", "local", "test/support"] },
  { path: "test", imports: ["operator", "runtime", "local", "scripts", "bench", "examples", "package.json"] },
];

/** A zone without `packages` may import any package; these folders go into images, which have no devDependencies. */
const SHIPPED = ["operator", "runtime"];

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: Record<string, string> };

interface Import {
  readonly specifier: string;
  readonly offset: number;
  readonly typeOnly: boolean;
}

const problems = sourceFiles().flatMap((file) =>
  importsOf(file).flatMap(({ specifier, offset, typeOnly }) => {
    const problem = specifier.startsWith(".")
      ? fileProblem(file.path, join(dirname(file.path), specifier))
      : packageProblem(file.path, specifier, typeOnly);
    return problem === undefined ? [] : [`${file.path}:${lineAt(file.text, offset)}: ${problem}`];
  }),
);
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
}

function fileProblem(from: string, to: string): string | undefined {
  const zone = zoneOf(from);
  const allowed = [zone.path, ...zone.imports].some((path) => isIn(to, path));
  return allowed ? undefined : `imports ${to}: ${zone.path} may import ${zone.imports.join(", ") || "only itself"}`;
}

function packageProblem(from: string, specifier: string, typeOnly: boolean): string | undefined {
  const zone = zoneOf(from);
  const name = specifier.startsWith("@") ? specifier.split("/", 2).join("/") : (specifier.split("/", 1)[0] ?? "");
  if (zone.packages) {
    const allowed = zone.packages.includes(specifier) || (typeOnly && zone.packages.includes(`type ${specifier}`));
    return allowed ? undefined : `imports ${specifier}: ${zone.path} may import ${zone.packages.join(", ") || "none"}`;
  }
  if (isBuiltin(specifier) || !SHIPPED.some((path) => isIn(from, path)) || name in dependencies) return undefined;
  return `imports ${specifier}, which is not among the dependencies in package.json: an image would lack it`;
}

function zoneOf(path: string): Zone {
  const zone = ZONES.find((candidate) => isIn(path, candidate.path));
  if (!zone) throw new Error(`${path} is in no zone: say in scripts/linting/import-boundaries.ts what it may import`);
  return zone;
}

function isIn(path: string, folderOrFile: string): boolean {
  return path === folderOrFile || path.startsWith(`${folderOrFile}/`);
}

function importsOf({ path, text }: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (source: { value: unknown; start: number } | null, typeOnly: boolean): void => {
    if (typeof source?.value === "string") found.push({ specifier: source.value, offset: source.start, typeOnly });
  };
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`reading ${path}: ${errors.map(({ message }) => message).join("; ")}`);
  new Visitor({
    ImportDeclaration: ({ source, importKind }) => add(source, importKind === "type"),
    ExportAllDeclaration: ({ source, exportKind }) => add(source, exportKind === "type"),
    ExportNamedDeclaration: ({ source, exportKind }) => add(source, exportKind === "type"),
    ImportExpression: ({ source }) =>
      add(source.type === "Literal" ? { value: source.value, start: source.start } : null, false),
    TSImportType: ({ source }) => add(source, true),
  }).visit(program);
  return found;
}
