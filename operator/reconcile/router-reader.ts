import type { Log } from "../kube/log.ts";
import type { ObservedRouter } from "../plan/observed.ts";
import { ROUTER_PORTS } from "../traffic/envoy-bootstrap.ts";
import type { RouterStatus } from "../traffic/router-report.ts";
import { RouterStatusError, readRouterStatus } from "./router-status.ts";
import type { RouterAddress } from "./router-status.ts";
import type { Pod } from "./world.ts";

/** Asks each router what it applies. One that does not answer is reported as one of which nothing is known. */
export async function readRouters(pods: readonly Pod[], log: Log): Promise<ObservedRouter[]> {
  return Promise.all(pods.map((pod) => readRouter(pod, log)));
}

async function readRouter({ metadata, status }: Pod, log: Log): Promise<ObservedRouter> {
  const pod = metadata.name;
  const router = { address: status?.podIP ?? "", port: ROUTER_PORTS.status };
  try {
    const { clustersVersion, routesHash, healthyHosts } = await readTwice(router);
    return { pod, clustersVersion, routesHash, healthyHosts };
  } catch (error) {
    if (!(error instanceof RouterStatusError)) throw error;
    log.debug({ err: error, pod, namespace: metadata.namespace }, "router does not say what it applies");
    return { pod, healthyHosts: new Map() };
  }
}

/** One slow answer, of a busy node or of this process at its start, must not take a verified weight back. */
async function readTwice(router: RouterAddress): Promise<RouterStatus> {
  try {
    return await readRouterStatus(router);
  } catch (error) {
    if (!(error instanceof RouterStatusError)) throw error;
    return readRouterStatus(router);
  }
}
