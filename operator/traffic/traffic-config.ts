import { bootstrapConfig, CONFIG_FILES, type RouterIdentity } from "./envoy-bootstrap.ts";
import type { ClustersConfig } from "./envoy-clusters.ts";
import type { RoutesConfig } from "./envoy-routes.ts";

/**
 * The data of the ConfigMap `<name>-traffic`. Clusters and routes are separate arguments because make before break
 * writes them at different times: new clusters stand beside old routes until every router has them.
 */
export function trafficConfigData(
  router: RouterIdentity,
  clusters: ClustersConfig,
  routes: RoutesConfig,
): Record<string, string> {
  return {
    [CONFIG_FILES.bootstrap]: bootstrapConfig(router),
    [CONFIG_FILES.clusters]: clusters.text,
    [CONFIG_FILES.routes]: routes.text,
  };
}
