import type { V1Service, V1ServicePort } from "@kubernetes/client-node";
import { GRPC_PORT, HTTP_PORT } from "../../runtime/contract.ts";
import { ANNOTATIONS, COMPONENTS, LABELS, childNames } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import { canonicalJson } from "../plan/revision.ts";
import type { Plan, PlannedRevision } from "../plan/plan-rollout.ts";
import { childMetadata, selectorLabels } from "./metadata.ts";

/** The Service that clients use. It also carries the rollout record: who it selects and why change in one write. */
export function frontService(md: ValidModelDeployment, plan: Plan): V1Service {
  const { front, record } = plan;
  const { type = "ClusterIP", port = 80, annotations = {} } = md.spec.traffic?.service ?? {};
  const selector =
    front.via === "Router"
      ? selectorLabels(md.name, COMPONENTS.router)
      : selectorLabels(md.name, COMPONENTS.revision, front.revision);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: childMetadata(md, childNames.front(md.name), COMPONENTS.front, {
      annotations: { ...annotations, [ANNOTATIONS.record]: canonicalJson(record) },
    }),
    spec: {
      type,
      selector,
      ports: [
        { name: "http", port, protocol: "TCP", targetPort: "http" },
        ...(port !== GRPC_PORT && servesGrpc(plan) ? [grpcPort(grpcTarget(plan))] : []),
      ],
    },
  };
}

/** Whether the pods that answer speak gRPC, be it some of them. */
function servesGrpc({ front, revisions }: Plan): boolean {
  return revisions.some(({ id, grpc }) => grpc && (front.via === "Router" || id === front.revision));
}

/** Routers take both protocols at one port. */
const grpcTarget = ({ front }: Plan): string => (front.via === "Router" ? "http" : "grpc");

/** gRPC is HTTP/2 without TLS: proxies that do not look into the bytes have to be told. */
function grpcPort(targetPort: string): V1ServicePort {
  return { name: "grpc", port: GRPC_PORT, protocol: "TCP", targetPort, appProtocol: "kubernetes.io/h2c" };
}

/** Headless: its DNS name gives the addresses of the revision's ready pods, for the routers. Its selector never moves. */
export function revisionService(md: ValidModelDeployment, { id, version, grpc }: PlannedRevision): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: childMetadata(md, childNames.revision(md.name, id), COMPONENTS.revision, {
      labels: { [LABELS.revision]: id, [LABELS.version]: version },
    }),
    spec: {
      type: "ClusterIP",
      clusterIP: "None",
      selector: selectorLabels(md.name, COMPONENTS.revision, id),
      ports: [
        { name: "http", port: HTTP_PORT, protocol: "TCP", targetPort: "http" },
        ...(grpc ? [grpcPort("grpc")] : []),
      ],
    },
  };
}
