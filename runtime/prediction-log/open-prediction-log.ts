import type { Logger } from "pino";

import type { Config } from "../config.ts";
import { LoadError } from "../load-error.ts";
import type { Model } from "../model/model.ts";
import type { ModelIdentity } from "../served-model.ts";
import { fileSink } from "./file-sink.ts";
import { LineWriter } from "./line-writer.ts";
import { PredictionLog } from "./prediction-log.ts";
import { redactionOf } from "./redaction.ts";
import type { Sink } from "./sink.ts";
import { shownSink } from "./sink-address.ts";
import type { SinkAddress } from "./sink-address.ts";
import { stdoutSink } from "./stdout-sink.ts";

interface Described {
  readonly model: Model;
  readonly identity: ModelIdentity;
}

interface Surroundings {
  readonly logger: Logger;
  /** Put after the name of a file where several processes log: each writes to its own. */
  readonly fileSuffix?: string;
}

/** The log that the configuration asks for, if any. Throws a LoadError when its file cannot be opened. */
export async function openPredictionLog(
  config: Config,
  { model, identity }: Described,
  { logger, fileSuffix = "" }: Surroundings,
): Promise<PredictionLog | undefined> {
  const address = config.logPredictionsSink;
  if (address === undefined) return undefined;
  const keyHeader = config.logPredictionsKeyHeader?.toLowerCase();
  const redaction = redactionOf(config.logPredictionsRedact, model, keyHeader);
  const sink = await openSink(address, config, identity, fileSuffix);
  logger.info({ sink: shownSink(address), sample: config.logPredictionsSample }, "predictions are logged");
  if (redaction.unknown.length > 0) {
    const message = "LOG_PREDICTIONS_REDACT has names that are no field, input or output of this model";
    logger.warn({ names: redaction.unknown }, message);
  }
  return new PredictionLog({
    sink,
    writer: new LineWriter(model, identity, redaction),
    sample: config.logPredictionsSample,
    keyHeader,
    maxValues: config.logPredictionsMaxValues,
    maxQueue: config.logPredictionsMaxQueue,
    maxQueueBytes: config.logPredictionsMaxQueueBytes,
    logger,
  });
}

/** The client of HTTP is loaded only where it is used: that takes longer than most else at the start. */
async function openSink(
  address: SinkAddress,
  config: Config,
  { name, revision, variant }: ModelIdentity,
  fileSuffix: string,
): Promise<Sink> {
  if (address.kind === "stdout") return stdoutSink();
  if (address.kind === "file") {
    const path = `${address.path}${fileSuffix}`;
    const options = { maxBytes: config.logPredictionsMaxFileBytes, maxFiles: config.logPredictionsMaxFiles };
    return fileSink(path, options).catch((cause: unknown) => {
      const message = `opening the prediction log ${path}: ${(cause as Error).message}; name a file in a writable folder`;
      throw new LoadError("InvalidConfiguration", message, { cause });
    });
  }
  const { httpSink } = await import("./http-sink.ts");
  return httpSink(address.url, {
    authorization: config.logPredictionsAuthorization,
    eventsPerRequest: config.logPredictionsEventsPerRequest,
    source: `/models/${encodeURIComponent(name)}/revisions/${encodeURIComponent(revision ?? variant)}`,
  });
}
