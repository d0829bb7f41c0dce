import { join } from "node:path";
import { nameOfFolder } from "../model-folder/name.ts";
import type { ServeConfig } from "./config.ts";
import { logEntry, RuntimeProcess } from "./runtime-process.ts";
import type { Output } from "./serve.ts";

const SHOWN_LEVELS = new Set(["warn", "error"]);

interface Options {
  readonly config: ServeConfig;
  /** Put before the program, to tie it to this process. */
  readonly launcher: readonly string[];
  readonly output: Output;
  readonly scratch: string;
}

/** The runtimes that this process has started. */
export class Runtimes {
  private readonly options: Options;
  private readonly running = new Set<RuntimeProcess>();
  private started = 0;

  constructor(options: Options) {
    this.options = options;
  }

  /** One that serves the model at `path`; `address` is where it listens. */
  start(path: string, address: Readonly<Record<string, string | undefined>>): RuntimeProcess {
    const { config, launcher, scratch } = this.options;
    const runtime = RuntimeProcess.start({
      environment: {
        ...config.environment,
        MODEL_PATH: undefined,
        MODEL_URI: path,
        MODEL_NAME: nameOfFolder(config.model),
        DRAIN_SECONDS: "0", // nobody looks at /health in order to go elsewhere
        ...address,
      },
      launcher,
      terminationMessage: join(scratch, `ended-${++this.started}.json`),
      onLine: (line) => this.show(line),
    });
    this.running.add(runtime);
    void runtime.ended.then(() => this.running.delete(runtime));
    return runtime;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.running].map((runtime) => runtime.stop()));
  }

  /** Of the log what is worth a look, and all that is no log, such as predictions on stdout. */
  private show(line: string): void {
    const { config, output } = this.options;
    const entry = logEntry(line);
    if (entry === undefined || config.verbose) output.write(`${line}\n`);
    else if (SHOWN_LEVELS.has(entry.level)) output.write(`${entry.level}: ${entry.msg}\n`);
  }
}
