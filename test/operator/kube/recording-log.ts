import type { Log } from "../../../operator/kube/log.ts";

export interface LoggedLine {
  level: "debug" | "info" | "warn" | "error";
  message: string;
  fields: object;
}

/** Keeps what is logged, for tests to look at. */
export class RecordingLog implements Log {
  readonly lines: LoggedLine[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: "debug", message, fields });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: "error", message, fields });
  }
}
