import type { V1Probe } from "@kubernetes/client-node";
import { HEALTH_PATH } from "../../runtime/contract.ts";
import type { Probes } from "../api/serving.ts";

interface ContainerProbes {
  readonly startupProbe: V1Probe;
  readonly readinessProbe: V1Probe;
  readonly livenessProbe: V1Probe;
}

/**
 * All three ask /health. The startup probe gives a model an hour to load and keeps the others away meanwhile, so that
 * neither of them ever kills a slow load.
 */
export function containerProbes({ readiness, liveness, startup, ...common }: Probes = {}): ContainerProbes {
  const httpGet = { path: HEALTH_PATH, port: "http" };
  return {
    startupProbe: { httpGet, ...STARTUP, ...startup },
    readinessProbe: { httpGet, ...READINESS, ...common, ...readiness },
    livenessProbe: { httpGet, ...LIVENESS, ...common, ...liveness },
  };
}

const STARTUP = { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 1800 };
const READINESS = { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 };
/** Slower to judge than readiness: a busy pod should lose its traffic long before it is restarted. */
const LIVENESS = { periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 6 };
