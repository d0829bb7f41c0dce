import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { findProgram } from "../../support/programs.ts";
import { LastingCommand, Terminal } from "./terminal.ts";
import { isAsShown, portsOf, stepsOf, type Step } from "./transcript.ts";

const PROJECT = resolve(".");
/** A file for what was seen, with the time that each command took. */
const { TUTORIAL_TRANSCRIPT } = process.env;
const LASTING = /^npm (?:start|run serve)\b/;
const TRIES = 30;
const BETWEEN_TRIES_MS = 1_000;

/** Needs Python 3.10 or newer with venv, Git, curl and PyPI. */
describe("the tutorial", function () {
  this.timeout(900_000); // it installs everything once
  let folder: string;
  let environment: Record<string, string | undefined>;
  let terminal: Terminal;
  const lasting: LastingCommand[] = [];
  const transcript: string[] = [];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "slipway-tutorial-"));
    mkdirSync(join(folder, "bin"));
    symlinkSync(await findProgram("kubectl"), join(folder, "bin/kubectl"));
    const { PATH, HOME, XDG_CACHE_HOME, npm_config_registry, PIP_INDEX_URL } = process.env;
    environment = {
      HOME,
      XDG_CACHE_HOME,
      npm_config_registry,
      PIP_INDEX_URL,
      PATH: `${join(folder, "bin")}:${PATH}`,
      // What is cloned is this project as it was committed.
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: `url.${PROJECT}.insteadOf`,
      GIT_CONFIG_VALUE_0: "https://github.com/slipway-dev/slipway",
    };
    terminal = new Terminal(folder, environment);
  });
  after(async () => {
    if (TUTORIAL_TRANSCRIPT) writeFileSync(TUTORIAL_TRANSCRIPT, transcript.join("\n"));
    await Promise.all(lasting.map((command) => command.interrupt()));
    await terminal.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("says what happens: each command ends well and prints what is shown", async () => {
    const ports = new Map<string, string>();
    for (const step of stepsOf(readFileSync("docs/tutorial.md", "utf8"))) {
      const began = performance.now();
      const output = await take(step, ports);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      if (step.kind === "command") transcript.push(`# ${seconds} s`, `$ ${step.command}`, output.trimEnd(), "");
    }
  });

  /** Returns what was printed. */
  async function take(step: Step, ports: Map<string, string>): Promise<string> {
    const here = async (): Promise<string> => (await terminal.run("pwd")).output.trim();
    if (step.kind === "file") writeFileSync(join(await here(), step.name), step.text);
    if (step.kind === "interrupt") await lasting.pop()?.interrupt();
    if (step.kind !== "command") return "";
    const command = replaced(step.command, ports);
    const output = LASTING.test(command)
      ? await start(command, await here(), step.output, ports)
      : await run(command, replaced(step.output, ports));
    if (command.startsWith("git clone")) shareModules(await here());
    return output;
  }

  async function start(command: string, where: string, shown: string, ports: Map<string, string>): Promise<string> {
    const started = new LastingCommand(command, where, environment);
    lasting.push(started);
    await started.until((output) => isAsShown(output, `…\n${shown.trimEnd()}\n…`));
    for (const [address, actual] of portsOf(started.output, shown)) ports.set(address, actual);
    return started.output;
  }

  /** What is looked at while something changes is looked at again, as a reader would. */
  async function run(command: string, shown: string): Promise<string> {
    const looks = /^(?:kubectl get|npm run --silent status|npm run status)\b/.test(command);
    for (let tries = 1; ; tries++) {
      const { output, code } = await terminal.run(command);
      if (code === 0 && isAsShown(output, shown)) return output;
      if (!looks || tries === TRIES) {
        expect.fail(`$ ${command}\nended with ${code}, and printed\n${output}\nwhere the tutorial shows\n${shown}`);
      }
      await new Promise((resume) => setTimeout(resume, BETWEEN_TRIES_MS));
    }
  }
});

/** What this project has installed, so that `npm start` need not do it again. */
function shareModules(clone: string): void {
  utimesSync(join(clone, "package-lock.json"), 0, 0); // older than what is installed
  symlinkSync(join(PROJECT, "node_modules"), join(clone, "node_modules"));
}

function replaced(text: string, ports: ReadonlyMap<string, string>): string {
  // In one pass: an address that is put in may be one that another stands for.
  return text.replace(/http:\/\/127\.0\.0\.1:\d+/g, (url) => ports.get(url) ?? url);
}
