import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { findProgram } from "../../support/programs.ts";
import { LastingCommand, Terminal } from "./terminal.ts";
import { isAsShown, portsOf, stepsOf, type Step } from "./transcript.ts";

const PROJECT = resolve(".");
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
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "slipway-tutorial-"));
    mkdirSync(join(folder, "bin"));
    symlinkSync(await findProgram("kubectl"), join(folder, "bin/kubectl"));
    const { PATH, HOME, XDG_CACHE_HOME, npm_config_registry, PIP_INDEX_URL } = process.env;
    environment = {
      ...{ HOME, XDG_CACHE_HOME, npm_config_registry, PIP_INDEX_URL },
      PATH: `${join(folder, "bin")}:${PATH}`,
      // What is cloned is this project as it was committed.
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: `url.${PROJECT}.insteadOf`,
      GIT_CONFIG_VALUE_0: "https://github.com/slipway-dev/slipway",
    };
    terminal = new Terminal(folder, environment);
  });
  after(async () => {
    await Promise.all(lasting.map((command) => command.interrupt()));
    await terminal.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("says what happens: each command ends well and prints what is shown", async () => {
    const ports = new Map<string, string>();
    const began = performance.now();
    for (const step of stepsOf(readFileSync("docs/tutorial.md", "utf8"))) {
      await take(step, ports);
      if (step.kind === "command")
        console.log(`${((performance.now() - began) / 1000).toFixed(1)} s  $ ${step.command}`);
    }
  });

  async function take(step: Step, ports: Map<string, string>): Promise<void> {
    const here = async (): Promise<string> => (await terminal.run("pwd")).output.trim();
    if (step.kind === "file") writeFileSync(join(await here(), step.name), step.text);
    else if (step.kind === "interrupt") await lasting.pop()?.interrupt();
    else {
      const command = replaced(step.command, ports);
      if (LASTING.test(command)) {
        const started = new LastingCommand(command, await here(), environment);
        lasting.push(started);
        await started
          .until((output) => isAsShown(output, `…\n${step.output.trimEnd()}\n…`))
          .catch((error: Error) => {
            throw new Error(`${command} was to print\n${step.output}\n${error.message}`);
          });
        for (const [shown, actual] of portsOf(started.output, step.output)) ports.set(shown, actual);
      } else await run(command, replaced(step.output, ports));
      if (command.startsWith("git clone")) shareModules(await here());
    }
  }

  /** What is looked at while something changes is looked at again, as a reader would. */
  async function run(command: string, shown: string): Promise<void> {
    const looks = /^(?:kubectl get|npm run --silent status|npm run status)\b/.test(command);
    for (let tries = 1; ; tries++) {
      const { output, code } = await terminal.run(command);
      if (code === 0 && isAsShown(output, shown)) return;
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
