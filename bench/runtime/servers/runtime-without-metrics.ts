/** Our runtime, configured by the same environment, whose metrics count nothing. */
import { startRuntime } from "../../../runtime/app.ts";
import { processEnvironment, readConfig } from "../../../runtime/config.ts";
import { createLogger } from "../../../runtime/observability/logger.ts";
import { RuntimeMetrics } from "../../../runtime/observability/metrics.ts";

// Nobody but this comparison wants to turn them off, so that the runtime has no switch for it.
Object.assign(RuntimeMetrics.prototype, {
  prediction: () => undefined,
  error: () => undefined,
  latency: () => undefined,
  queueWait: () => undefined,
  inference: () => undefined,
  batch: () => undefined,
} satisfies Partial<RuntimeMetrics>);

const config = readConfig(processEnvironment());
const runtime = await startRuntime(config, createLogger(config.logLevel));
process.once("SIGTERM", () => void runtime.stop(AbortSignal.abort()).then(() => process.exit()));
await runtime.ready;
