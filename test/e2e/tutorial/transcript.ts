/** What a tutorial tells its reader to do, in its order. */
export type Step =
  /** A file to be saved. */
  | { kind: "file"; name: string; text: string }
  /** A command of a terminal, and what it prints: `…` stands for any text, a line of it alone for any lines. */
  | { kind: "command"; command: string; output: string }
  /** Ctrl-C in the terminal of the last command that did not end. */
  | { kind: "interrupt" };

const BLOCK = /^(?:(.*`([\w./-]+)`.*:)\n\n)?```(\w+)\n([^]*?)^```$|^<!-- (Ctrl-C) -->$/gm;

/**
 * Reads Markdown: blocks of `console`, where `$ ` begins a command and `> ` goes on with it; blocks of `sh`, which are one
 * command each; other blocks behind a sentence that ends with a colon and has the file's name as code; and the comment `Ctrl-C`.
 */
export function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(BLOCK)].flatMap(([, , name, language, text = "", interrupt]): Step[] => {
    if (interrupt !== undefined) return [{ kind: "interrupt" }];
    if (language === "console") return commandsOf(text);
    if (language === "sh") return [{ kind: "command", command: text.trimEnd(), output: "…" }];
    return name === undefined ? [] : [{ kind: "file", name, text }];
  });
}

function commandsOf(block: string): Step[] {
  const steps: { kind: "command"; command: string; output: string }[] = [];
  for (const line of block.split("\n").slice(0, -1)) {
    const last = steps.at(-1);
    if (line.startsWith("$ ")) steps.push({ kind: "command", command: line.slice(2), output: "" });
    else if (last === undefined) throw new Error(`a block begins with output: ${line}`);
    else if (line.startsWith("> ") && last.output === "") last.command += `\n${line.slice(2)}`;
    else last.output += `${line}\n`;
  }
  return steps;
}

/** Whether `output` is what the tutorial shows. Ports of this machine may be others. */
export function isAsShown(output: string, shown: string): boolean {
  return new RegExp(`^${patternOf(shown)}$`).test(output.trimEnd());
}

function patternOf(shown: string): string {
  return shown
    .trimEnd()
    .split("\n")
    .map((line) => (line === "…" ? "[^]*?" : lineOf(line)))
    .join("\n")
    .replaceAll("[^]*?\n", "(?:[^]*?\n)??")
    .replaceAll("\n[^]*?", "(?:\n[^]*?)??");
}

function lineOf(line: string): string {
  const literal = line.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return literal
    .replaceAll("…", ".*")
    .replace(/127\\\.0\\\.0\\\.1:\d+/g, "127\\.0\\.0\\.1:\\d+")
    .replace(/ {2,}/g, " +");
}

/** The addresses of this machine in `output`, by those that the tutorial shows in their place. */
export function portsOf(output: string, shown: string): Map<string, string> {
  const lines = new Map(
    [...output.matchAll(/^(.* answers at )(http:\/\/127\.0\.0\.1:\d+)$/gm)].map(([, start, url]) => [start, url]),
  );
  return new Map(
    [...shown.matchAll(/^(.* answers at )(http:\/\/127\.0\.0\.1:\d+)$/gm)].flatMap(([, start, url = ""]) => {
      const actual = lines.get(start);
      return actual === undefined ? [] : [[url, actual] as const];
    }),
  );
}
