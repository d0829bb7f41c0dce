export type ContainerState =
  | { is: "waiting"; reason: string; message?: string }
  | { is: "running"; startedAt: number; pid: number }
  | Terminated;

/** Times are milliseconds since the epoch. */
export interface Terminated {
  is: "terminated";
  exitCode: number;
  signal?: number;
  reason: string;
  message: string;
  startedAt: number;
  finishedAt: number;
}

/** All that a pod's status says of one container. */
export interface ContainerSnapshot {
  name: string;
  image: string;
  state: ContainerState;
  lastTerminated?: Terminated;
  restartCount: number;
  /** Its startup probe has passed, or it has none and runs. */
  started: boolean;
  ready: boolean;
}
