/** One line of the prediction log: a JSON object. */
export interface Line {
  readonly json: string;
  readonly requestId: string;
  /** RFC 3339. */
  readonly time: string;
}

export interface Written {
  /** How many of the lines are at their destination. */
  readonly written: number;
  /** Why the others are not, and never will be. */
  readonly error?: Error;
}

/** Where lines go. It is given one list of lines at a time. */
export interface Sink {
  /** Lines are made to fit. */
  readonly maxLineBytes: number;
  /** Resolves when every line is either there or lost. Never rejects. */
  write(lines: readonly Line[]): Promise<Written>;
  /** Gives up what is being written. */
  close(): Promise<void>;
}
