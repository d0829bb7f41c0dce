import type { ScalePaths } from "./resource.ts";

export interface BuiltInKind {
  group: string;
  version: string;
  kind: string;
  plural: string;
  /** Name of its OpenAPI definition. */
  schema: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  clusterScoped?: true;
  status?: true;
  scale?: ScalePaths;
  generation?: true;
  createOnUpdate?: true;
  selectableFields?: readonly string[];
  nameFormat?: "label" | "path";
}

const replicas: ScalePaths = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".spec.selector",
};

const eventFields = [
  "involvedObject.kind",
  "involvedObject.namespace",
  "involvedObject.name",
  "involvedObject.uid",
  "involvedObject.apiVersion",
  "involvedObject.resourceVersion",
  "involvedObject.fieldPath",
  "reason",
  "reportingComponent",
  "source",
  "type",
];

const podFields = [
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.serviceAccountName",
  "spec.hostNetwork",
  "status.phase",
  "status.podIP",
  "status.nominatedNodeName",
];

const core = { group: "", version: "v1" } as const;
const apps = { group: "apps", version: "v1" } as const;
const rbac = { group: "rbac.authorization.k8s.io", version: "v1", nameFormat: "path" } as const;

/** The built-in kinds that this API server knows. Their printer columns are in tables/, defaults and checks in behaviours. */
export const builtInKinds: readonly BuiltInKind[] = [
  {
    ...core,
    kind: "Namespace",
    plural: "namespaces",
    schema: "io.k8s.api.core.v1.Namespace",
    shortNames: ["ns"],
    clusterScoped: true,
    status: true,
    selectableFields: ["status.phase"],
    nameFormat: "label",
  },
  {
    ...core,
    kind: "Pod",
    plural: "pods",
    schema: "io.k8s.api.core.v1.Pod",
    shortNames: ["po"],
    categories: ["all"],
    status: true,
    generation: true,
    selectableFields: podFields,
  },
  {
    ...core,
    kind: "Service",
    plural: "services",
    schema: "io.k8s.api.core.v1.Service",
    shortNames: ["svc"],
    categories: ["all"],
    status: true,
    selectableFields: ["spec.clusterIP", "spec.type"],
    nameFormat: "label",
  },
  { ...core, kind: "ConfigMap", plural: "configmaps", schema: "io.k8s.api.core.v1.ConfigMap", shortNames: ["cm"] },
  { ...core, kind: "Secret", plural: "secrets", schema: "io.k8s.api.core.v1.Secret", selectableFields: ["type"] },
  {
    ...core,
    kind: "Event",
    plural: "events",
    schema: "io.k8s.api.core.v1.Event",
    shortNames: ["ev"],
    createOnUpdate: true,
    selectableFields: eventFields,
  },
  {
    ...core,
    kind: "Node",
    plural: "nodes",
    schema: "io.k8s.api.core.v1.Node",
    shortNames: ["no"],
    clusterScoped: true,
    status: true,
    selectableFields: ["spec.unschedulable"],
  },
  {
    ...core,
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    schema: "io.k8s.api.core.v1.ServiceAccount",
    shortNames: ["sa"],
  },
  {
    ...core,
    kind: "Endpoints",
    plural: "endpoints",
    schema: "io.k8s.api.core.v1.Endpoints",
    shortNames: ["ep"],
    createOnUpdate: true,
  },
  {
    ...apps,
    kind: "Deployment",
    plural: "deployments",
    schema: "io.k8s.api.apps.v1.Deployment",
    shortNames: ["deploy"],
    categories: ["all"],
    status: true,
    scale: replicas,
    generation: true,
  },
  {
    ...apps,
    kind: "ReplicaSet",
    plural: "replicasets",
    schema: "io.k8s.api.apps.v1.ReplicaSet",
    shortNames: ["rs"],
    categories: ["all"],
    status: true,
    scale: replicas,
    generation: true,
    selectableFields: ["status.replicas"],
  },
  {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    schema: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    shortNames: ["hpa"],
    categories: ["all"],
    status: true,
  },
  {
    group: "policy",
    version: "v1",
    kind: "PodDisruptionBudget",
    plural: "poddisruptionbudgets",
    schema: "io.k8s.api.policy.v1.PodDisruptionBudget",
    shortNames: ["pdb"],
    status: true,
    generation: true,
  },
  {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    plural: "leases",
    schema: "io.k8s.api.coordination.v1.Lease",
    createOnUpdate: true,
  },
  {
    group: "discovery.k8s.io",
    version: "v1",
    kind: "EndpointSlice",
    plural: "endpointslices",
    schema: "io.k8s.api.discovery.v1.EndpointSlice",
    generation: true,
  },
  {
    group: "events.k8s.io",
    version: "v1",
    kind: "Event",
    plural: "events",
    schema: "io.k8s.api.events.v1.Event",
    shortNames: ["ev"],
    createOnUpdate: true,
    selectableFields: [
      "reason",
      "type",
      "reportingController",
      "regarding.kind",
      "regarding.name",
      "regarding.namespace",
      "regarding.uid",
    ],
  },
  { ...rbac, kind: "Role", plural: "roles", schema: "io.k8s.api.rbac.v1.Role" },
  {
    ...rbac,
    kind: "ClusterRole",
    plural: "clusterroles",
    schema: "io.k8s.api.rbac.v1.ClusterRole",
    clusterScoped: true,
  },
  { ...rbac, kind: "RoleBinding", plural: "rolebindings", schema: "io.k8s.api.rbac.v1.RoleBinding" },
  {
    ...rbac,
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    schema: "io.k8s.api.rbac.v1.ClusterRoleBinding",
    clusterScoped: true,
  },
  {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    schema: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    clusterScoped: true,
    status: true,
    generation: true,
  },
];
