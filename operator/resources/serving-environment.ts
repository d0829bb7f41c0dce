import type { V1EnvVar } from "@kubernetes/client-node";
import { SERVING_ENV } from "../../runtime/contract.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { PredictionLog, Serving } from "../api/serving.ts";

/** What the user says of batches and of the prediction log, in the runtime's words. Nothing where nothing is said. */
export function servingEnvironment(
  { spec }: ValidModelDeployment,
  { batching = {}, predictionLog }: Serving,
): V1EnvVar[] {
  const { maxSize, maxDelay, maxQueue } = batching;
  return [
    ...variable(SERVING_ENV.batchMaxSize, maxSize),
    ...variable(SERVING_ENV.batchMaxDelayMs, maxDelay === undefined ? undefined : milliseconds(maxDelay)),
    ...variable(SERVING_ENV.maxQueue, maxQueue),
    ...(predictionLog ? logEnvironment(predictionLog, spec.traffic?.sticky?.header) : []),
  ];
}

function logEnvironment({ sink, sample, redact, secretRef }: PredictionLog, keyHeader: string | undefined): V1EnvVar[] {
  return [
    ...variable(SERVING_ENV.logSink, sink),
    ...variable(SERVING_ENV.logSample, sample),
    ...variable(SERVING_ENV.logRedact, redact && JSON.stringify(redact)), // names may have commas
    ...variable(SERVING_ENV.logKeyHeader, keyHeader),
    ...(secretRef ? [authorization(secretRef.name)] : []),
  ];
}

/** Optional: a receiver that refuses lines is no reason for a pod not to serve. */
function authorization(name: string): V1EnvVar {
  const key = SERVING_ENV.logAuthorization;
  return { name: key, valueFrom: { secretKeyRef: { name, key, optional: true } } };
}

function variable(name: string, value: string | number | undefined): V1EnvVar[] {
  return value === undefined ? [] : [{ name, value: String(value) }];
}

/** Of `5ms` or `2s`. */
function milliseconds(duration: string): number {
  const amount = Number.parseInt(duration, 10);
  return duration.endsWith("ms") ? amount : amount * 1000;
}
