import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { serve } from "../serve.ts";
import { PodMember } from "./member.ts";
import type { Line } from "./member.ts";
import type { FromProcess, ToProcess } from "./messages.ts";

/** Serves as one of several processes, until the supervisor wants it to stop. Resolves with the exit code. */
export async function serveInPod(config: Config, logger: Logger): Promise<number> {
  // The supervisor says when to stop; a terminal, or a container's init, may signal the whole group.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => undefined);
  const line = lineToSupervisor();
  const { member, number } = await new Promise<{ member: PodMember; number: string }>((resolve) => {
    process.once("message", (message: ToProcess) => {
      if (message.kind !== "assignment") throw new Error(`expected an assignment, not ${message.kind}`);
      resolve({ member: new PodMember(message.assignment, line), number: message.assignment.process });
    });
  });
  const failure = await serve({
    config,
    logger: logger.child({ process: number }),
    pod: member,
    onStop: (stop) => member.onStop(stop),
    onReady: () => void line.send({ kind: "ready" }),
  });
  if (failure === undefined) return 0;
  const { reason, message, permanent } = failure;
  await line.send({ kind: "failed", failure: { reason, message, permanent } });
  return 1;
}

/** Node ends the process itself when the line breaks: nobody is left to replace it then. */
function lineToSupervisor(): Line {
  return {
    send: (message: FromProcess) =>
      new Promise((resolve) => {
        process.send?.(message, undefined, undefined, () => resolve());
      }),
    onMessage: (listener) => void process.on("message", listener),
  };
}
