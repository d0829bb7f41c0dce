/** Checks what no linter rule covers: text that must not be in sources, documentation or configuration. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { lineAt } from "./source-files.ts";

interface Ban {
  readonly pattern: RegExp;
  readonly why: string;
  /** Where it applies; everywhere without it. */
  readonly only?: RegExp;
  readonly except?: RegExp;
}

const CODE = /\.(ts|mjs|js)$/u;
const word = (...parts: string[]): RegExp => new RegExp(`\\b(${parts.join("|")})\\b`, "gu");

const BANS: readonly Ban[] = [
  { pattern: /\bas unknown as\b/gu, only: CODE, why: "a double assertion turns the type checker off: narrow instead" },
  { pattern: /@ts-(ignore|nocheck|expect-error)/gu, only: CODE, why: "repair the type instead" },
  {
    pattern: /(eslint|oxlint)-disable(?!-next-line [a-z/-]+ -- \S)/gu,
    why: "name one rule, for one line, with ` -- ` and the reason",
  },
  { pattern: word("TODO", "FIXME", "XXX", "HACK"), why: "do it, or open an issue" },
  { pattern: /(?<![\w.])\/(home|Users|root|work)\/[a-z]/gu, why: "a path of one machine" },
  {
    pattern: /registry\.npmjs\.org(?=\S*\.tgz)|_authToken|\/\/[\w.-]+\/(?:artifactory|repository)\//gu,
    why: "an address of one registry",
  },
];

/** This file names what it bans; lock files and licences are made by others. */
const EXEMPT = /^(scripts\/linting\/source-text\.ts|package-lock\.json|LICENSE)$/u;
const BINARY = /\.(onnx|png|gz|tgz|parquet|npy)$/u;

const problems = projectFiles().flatMap((path) => {
  const text = readFileSync(path, "utf8");
  return BANS.filter(({ only, except }) => (only?.test(path) ?? true) && !except?.test(path)).flatMap(
    ({ pattern, why }) =>
      [...text.matchAll(pattern)].map((match) => `${path}:${lineAt(text, match.index)}: "${match[0]}": ${why}`),
  );
});
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
}

/** What Git has or would add. */
function projectFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]);
  const deleted = new Set(execFileSync("git", ["ls-files", "-z", "--deleted"]).toString().split("\0"));
  return listed
    .toString()
    .split("\0")
    .filter((path) => path !== "" && !deleted.has(path) && !EXEMPT.test(path) && !BINARY.test(path));
}
