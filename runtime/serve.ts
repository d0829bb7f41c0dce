import type { Logger } from "pino";

import { startRuntime } from "./app.ts";
import type { Config } from "./config.ts";
import { LoadError } from "./load-error.ts";
import type { Pod } from "./processes/pod.ts";

/** Calls its listener for each stop that is asked for: the first drains, a second one ends the wait. */
export type OnStop = (stop: () => void) => void;

interface Options {
  readonly config: Config;
  readonly logger: Logger;
  readonly pod: Pod;
  readonly onStop: OnStop;
  readonly onReady?: () => void;
}

/** Serves until it is stopped and the last request is answered. Resolves with why, when there is nothing to serve. */
export async function serve({ config, logger, pod, onStop, onReady }: Options): Promise<LoadError | undefined> {
  const runtime = await startRuntime(config, logger, pod).catch((cause: Error) => cannotListen(config, cause));
  if (runtime instanceof LoadError) return runtime;

  let isStopping = false;
  const stopped = new Promise<undefined>((resolve, reject) => {
    const hurry = new AbortController();
    onStop(() => {
      if (isStopping) hurry.abort();
      else runtime.stop(hurry.signal).then(() => resolve(undefined), reject);
      isStopping = true;
    });
  });
  const failed = runtime.ready.then(
    () => {
      if (!isStopping) onReady?.();
      return stopped;
    },
    (error: unknown) => asLoadError(error),
  );
  return Promise.race([stopped, failed]);
}

function cannotListen({ port, grpcPort }: Config, cause: Error): LoadError {
  const grpc = grpcPort === undefined ? "" : ` and, for gRPC, ${grpcPort}`;
  const message = `listening on port ${port}${grpc}: ${cause.message}; set PORT, GRPC_PORT or HOST to a free address`;
  return new LoadError("InvalidConfiguration", message, { cause });
}

function asLoadError(error: unknown): LoadError {
  if (error instanceof LoadError) return error;
  const message = `loading failed unexpectedly: ${String(error)}`;
  return new LoadError("InvalidModel", message, { permanent: false, cause: error });
}
