import type { V1ConfigMap, V1Deployment } from "@kubernetes/client-node";
import { ANNOTATIONS, COMPONENTS, LABELS, MANAGED_BY, childNames } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { PlannedRouter } from "../plan/plan-rollout.ts";
import { CONFIG_FILES, ROUTER_CONFIG_DIR, ROUTER_PORTS, bootstrapConfig } from "../traffic/envoy-bootstrap.ts";
import { fingerprint } from "../traffic/fingerprint.ts";
import { trafficConfigData } from "../traffic/traffic-config.ts";
import { childMetadata, selectorLabels } from "./metadata.ts";
import { containerSecurity, podSecurity, spreadEvenly } from "./security.ts";
import type { PodUsers } from "./security.ts";

/** Two, so that a drained node or a crash never takes the front away. */
const REPLICAS = 2;

/**
 * Envoy ends at once on SIGTERM. Before that, load balancers and kube-proxies stop sending to the pod, and every kept
 * connection reaches the 10 s after which Envoy asks its client to leave (`max_connection_duration`).
 */
const PRE_STOP_SECONDS = 15;

/** Envoy would start a worker for each core of the node, whatever the pod may use, and keep shared memory for restarts. */
const ENVOY_FLAGS = ["--concurrency", "2", "--disable-hot-restart"];

/** Envoy's own config: the split of the traffic as the routers read it. */
export function trafficConfigMap(md: ValidModelDeployment, { clusters, routes }: PlannedRouter): V1ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: childMetadata(md, childNames.traffic(md.name), COMPONENTS.router),
    data: trafficConfigData(md, clusters, routes),
  };
}

export function routerDeployment(md: ValidModelDeployment, { image }: PlannedRouter, users: PodUsers): V1Deployment {
  const labels = selectorLabels(md.name, COMPONENTS.router);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: childMetadata(md, childNames.router(md.name), COMPONENTS.router),
    spec: {
      replicas: REPLICAS,
      revisionHistoryLimit: 1,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...labels, [LABELS.managedBy]: MANAGED_BY },
          annotations: { [ANNOTATIONS.bootstrap]: fingerprint(bootstrapConfig(md)) },
        },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: podSecurity(users),
          terminationGracePeriodSeconds: PRE_STOP_SECONDS + 5,
          topologySpreadConstraints: spreadEvenly(labels),
          containers: [
            {
              name: "envoy",
              image,
              args: ["-c", `${ROUTER_CONFIG_DIR}/${CONFIG_FILES.bootstrap}`, ...ENVOY_FLAGS],
              ports: [
                { name: "http", containerPort: ROUTER_PORTS.traffic, protocol: "TCP" },
                { name: "status", containerPort: ROUTER_PORTS.status, protocol: "TCP" },
              ],
              resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "512Mi" } },
              readinessProbe: {
                httpGet: { path: "/ready", port: "status" },
                periodSeconds: 2,
                timeoutSeconds: 2,
                failureThreshold: 3,
              },
              lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
              securityContext: containerSecurity(),
              volumeMounts: [{ name: "traffic", mountPath: ROUTER_CONFIG_DIR, readOnly: true }],
            },
          ],
          volumes: [{ name: "traffic", configMap: { name: childNames.traffic(md.name) } }],
        },
      },
    },
  };
}
