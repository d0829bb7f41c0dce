import { REPORT_PATHS, routerStatus, type RouterReport, type RouterStatus } from "../traffic/router-report.ts";
import { podOrigin, readPodAnswer } from "./pod-answer.ts";

export interface RouterAddress {
  /** The pod's IP. */
  readonly address: string;
  /** Of its status listener. */
  readonly port: number;
}

/** The router did not answer in time, or not in Envoy's form: nothing is known of its routes. */
export class RouterStatusError extends Error {
  override readonly name = "RouterStatusError";
}

const TIMEOUT_MS = 2_000;

/** A few kilobytes a pod: room for thousands of pods behind one router. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Asks one router what it serves. @throws RouterStatusError */
export async function readRouterStatus(router: RouterAddress): Promise<RouterStatus> {
  const origin = podOrigin(router.address, router.port);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const read = (path: string) => readPodAnswer(`${origin}${path}`, MAX_BODY_BYTES, signal);
  try {
    const [ready, clustersVersion, clusters, routesHash] = await Promise.all([
      read(REPORT_PATHS.ready),
      read(REPORT_PATHS.clustersVersion),
      read(REPORT_PATHS.clusters),
      read(REPORT_PATHS.routesHash),
    ]);
    const report: RouterReport = { ready, clustersVersion, clusters, routesHash };
    return routerStatus(report);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replaceAll(/\s+/g, " ") : String(cause);
    throw new RouterStatusError(`reading the status of router ${origin}: ${why}`, { cause });
  }
}
