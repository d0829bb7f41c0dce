import type { OperatorConfig } from "../../operator/config.ts";

/** An operator of the test's own process: it watches one namespace, waits for nobody, and takes free ports. */
export function testOperatorConfig(namespace: string, given: Partial<OperatorConfig> = {}): OperatorConfig {
  return {
    namespaces: [namespace],
    runtimeImage: "slipway-runtime:test",
    routerImage: "envoyproxy/envoy:test",
    scaleDownDelaySeconds: 0,
    workers: 4,
    mlflowHosts: [],
    mlflowPollSeconds: 60,
    leaderElection: undefined,
    identity: "test",
    bindAddress: "127.0.0.1",
    healthPort: 0,
    metricsPort: 0,
    profilingPort: 0,
    logLevels: { common: "error", areas: {} },
    ...given,
  };
}
