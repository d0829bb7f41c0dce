import { z } from "zod";

/** What a router says of itself. An empty version or hash means that it has none yet. */
export interface RouterStatus {
  readonly ready: boolean;
  /** {@link ClustersConfig.version} of the clusters it has taken; new ones may still be waiting for health checks. */
  readonly clustersVersion: string;
  /** {@link RoutesConfig.hash} of the routes that its traffic port serves at this moment. */
  readonly routesHash: string;
  /** Healthy pods by revision, as this router's own health checks see them. */
  readonly healthyHosts: ReadonlyMap<string, number>;
}

/** Paths of the status port. */
export const REPORT_PATHS = {
  ready: "/ready",
  clustersVersion: "/stats?filter=%5Ecluster_manager%5C.cds%5C.version_text%24",
  clusters: "/clusters?format=json",
  routesHash: "/routes",
} as const;

/** One answer of the status port. */
interface ReportPart {
  readonly status: number;
  readonly body: string;
}

export type RouterReport = Readonly<Record<keyof typeof REPORT_PATHS, ReportPart>>;

/** @throws Error when an answer is not in Envoy's form */
export function routerStatus(report: RouterReport): RouterStatus {
  return {
    ready: report.ready.status === 200,
    clustersVersion: versionText(report.clustersVersion),
    routesHash: report.routesHash.status === 200 ? report.routesHash.body.trim() : "",
    healthyHosts: healthyHosts(report.clusters),
  };
}

const hostHealth = z.record(z.string(), z.unknown());

const clusterReport = z.object({
  cluster_statuses: z
    .array(
      z.object({
        name: z.string(),
        /** Absent for the clusters of the bootstrap, which are the router's own. */
        added_via_api: z.boolean().optional(),
        host_statuses: z.array(z.object({ health_status: hostHealth.optional() })).optional(),
      }),
    )
    .optional(),
});

function healthyHosts({ status, body }: ReportPart): ReadonlyMap<string, number> {
  if (status !== 200) return new Map();
  const { cluster_statuses = [] } = clusterReport.parse(JSON.parse(body));
  return new Map(
    cluster_statuses
      .filter((cluster) => cluster.added_via_api)
      .map(({ name, host_statuses = [] }) => [
        name,
        host_statuses.filter(({ health_status = {} }) => isHealthy(health_status)).length,
      ]),
  );
}

/** Every flag but `eds_health_status` names something wrong: a failed check, an ejection, a first check still to come. */
function isHealthy(flags: z.infer<typeof hostHealth>): boolean {
  return Object.values(flags).every((flag) => flag !== true);
}

/** `cluster_manager.cds.version_text: "e4fa11a8881be9b5"` */
function versionText({ status, body }: ReportPart): string {
  if (status !== 200) return "";
  return /^cluster_manager\.cds\.version_text: "(.*)"$/m.exec(body)?.[1] ?? "";
}
