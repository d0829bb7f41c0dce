/** Our runtime, configured by the same environment, whose metrics count nothing. */
import { startRuntime } from "../../../runtime/app.ts";
import { processEnvironment, readConfig } from "../../../runtime/config.ts";
import { createLogger } from "../../../runtime/observability/logger.ts";
import { RuntimeMetrics } from "../../../runtime/observability/metrics.ts";
import { alone } from "../../../runtime/processes/pod.ts";

class NoMetrics extends RuntimeMetrics {
  override prediction(): void {}
  override latency(): void {}
  override batch(): void {}
  override error(): void {}
  override queueWait(): void {}
  override inference(): void {}
}

const config = readConfig(processEnvironment());
const pod = alone(config);
const metrics = new NoMetrics((own) => pod.shareMetrics(own));
const runtime = await startRuntime(config, createLogger(config.logLevel), pod, metrics);
process.once("SIGTERM", () => void runtime.stop(AbortSignal.abort()).then(() => process.exit()));
await runtime.ready;
