import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { processIdentity } from "../process-identity.ts";
import { UserError } from "../user-error.ts";

interface Instance {
  pid: number;
  identity: string;
  url?: string;
}

/** One Slipway at a time per state folder. The lock of a killed one is taken over. */
export class InstanceLock {
  private readonly file: string;
  private readonly instance: Instance;

  private constructor(file: string, instance: Instance) {
    this.file = file;
    this.instance = instance;
  }

  /** @throws UserError when another Slipway runs with the same state folder; the message says where */
  static acquire(file: string): InstanceLock {
    mkdirSync(dirname(file), { recursive: true });
    const lock = new InstanceLock(file, { pid: process.pid, identity: processIdentity(process.pid) ?? "" });
    while (!lock.create()) {
      const other = readInstance(file);
      if (other !== undefined && processIdentity(other.pid) === other.identity) {
        const where = other.url === undefined ? "and is still starting" : `at ${other.url}`;
        throw new UserError(
          `Slipway runs already ${where} (process ${other.pid}). Stop that one with Ctrl-C, or give this one --state <another folder>.`,
        );
      }
      rmSync(file, { force: true }); // left by one that was killed
    }
    return lock;
  }

  /** Tells whoever comes second where this one is. */
  announce(url: string): void {
    writeFileSync(this.file, JSON.stringify({ ...this.instance, url }));
  }

  release(): void {
    rmSync(this.file, { force: true });
  }

  private create(): boolean {
    try {
      writeFileSync(this.file, JSON.stringify(this.instance), { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }
}

function readInstance(file: string): Instance | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Instance;
  } catch {
    return undefined; // killed while it wrote, or released meanwhile: there is nobody to give way to
  }
}
