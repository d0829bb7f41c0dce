import {
  listAt,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  textOf,
  type JsonObject,
  type KubeObject,
} from "../objects.ts";
import { selectorText } from "../selector.ts";
import { age } from "./age.ts";
import type { Cell, Column } from "./columns.ts";
import { podReady, podRestarts, podStatus } from "./pod-status.ts";

type Read = (object: KubeObject, now: number) => Cell;

function column(name: string, cell: Read, more: Partial<Column> = {}): Column {
  return { name, type: "string", format: "", description: "", priority: 0, cell, ...more };
}

function wide(name: string, cell: Read): Column {
  return column(name, cell, { priority: 1 });
}

const name = column("Name", (object) => object.metadata.name, { format: "name" });
const ageColumn = column("Age", (object, now) => age(object.metadata.creationTimestamp, now));
const createdAt = column("Created At", (object) => object.metadata.creationTimestamp, { type: "date" });

const none = "<none>";

function joined(parts: readonly string[]): string {
  return parts.length === 0 ? none : parts.join(",");
}

function labels(selector: JsonObject): string {
  return joined(Object.entries(selector).map(([key, value]) => `${key}=${String(value)}`));
}

const spec = (object: KubeObject): JsonObject => objectAt(object, "spec");
const status = (object: KubeObject): JsonObject => objectAt(object, "status");
const containers = (object: KubeObject): JsonObject[] =>
  objectsAt(objectAt(objectAt(spec(object), "template"), "spec"), "containers");

const containerColumns: Column[] = [
  wide("Containers", (object) =>
    containers(object)
      .map((container) => stringAt(container, "name") ?? "")
      .join(","),
  ),
  wide("Images", (object) =>
    containers(object)
      .map((container) => stringAt(container, "image") ?? "")
      .join(","),
  ),
  wide("Selector", (object) => selectorText(objectAt(spec(object), "selector")) || none),
];

const integer = { type: "integer" } as const;
const dataCount: Read = (object) =>
  Object.keys(objectAt(object, "data")).length + Object.keys(objectAt(object, "binaryData")).length;

const pods: Column[] = [
  name,
  column("Ready", podReady),
  column("Status", podStatus),
  column("Restarts", podRestarts),
  ageColumn,
  wide("IP", (pod) => stringAt(status(pod), "podIP") ?? none),
  wide("Node", (pod) => stringAt(spec(pod), "nodeName") ?? none),
  wide("Nominated Node", (pod) => stringAt(status(pod), "nominatedNodeName") ?? none),
  wide("Readiness Gates", () => none),
];

function externalIPs(service: KubeObject): string {
  const ingress = objectsAt(objectAt(status(service), "loadBalancer"), "ingress").map(
    (entry) => stringAt(entry, "ip") ?? stringAt(entry, "hostname") ?? "",
  );
  const external = listAt(spec(service), "externalIPs").map(String);
  switch (stringAt(spec(service), "type") ?? "") {
    case "LoadBalancer":
      return [...ingress, ...external].join(",") || "<pending>";
    case "ExternalName":
      return stringAt(spec(service), "externalName") ?? none;
    default:
      return joined(external);
  }
}

function servicePorts(service: KubeObject): string {
  const ports = objectsAt(spec(service), "ports").map((port) => {
    const nodePort = numberAt(port, "nodePort");
    return `${numberAt(port, "port") ?? ""}${nodePort ? `:${nodePort}` : ""}/${stringAt(port, "protocol") ?? "TCP"}`;
  });
  return joined(ports);
}

const services: Column[] = [
  name,
  column("Type", (service) => stringAt(spec(service), "type") ?? ""),
  column("Cluster-IP", (service) => stringAt(spec(service), "clusterIP") || none),
  column("External-IP", externalIPs),
  column("Port(s)", servicePorts),
  ageColumn,
  wide("Selector", (service) => labels(objectAt(spec(service), "selector"))),
];

const deployments: Column[] = [
  name,
  column(
    "Ready",
    (object) => `${numberAt(status(object), "readyReplicas") ?? 0}/${numberAt(spec(object), "replicas") ?? 0}`,
  ),
  column("Up-to-date", (object) => numberAt(status(object), "updatedReplicas") ?? 0),
  column("Available", (object) => numberAt(status(object), "availableReplicas") ?? 0),
  ageColumn,
  ...containerColumns,
];

const replicaSets: Column[] = [
  name,
  column("Desired", (object) => numberAt(spec(object), "replicas") ?? 0, integer),
  column("Current", (object) => numberAt(status(object), "replicas") ?? 0, integer),
  column("Ready", (object) => numberAt(status(object), "readyReplicas") ?? 0, integer),
  ageColumn,
  ...containerColumns,
];

function eventAge(object: KubeObject, now: number, last: boolean): string {
  const series = stringAt(objectAt(object, "series"), "lastObservedTime");
  const field = last ? (series ?? stringAt(object, "lastTimestamp")) : stringAt(object, "firstTimestamp");
  return age(field ?? stringAt(object, "eventTime") ?? object.metadata.creationTimestamp, now);
}

const events: Column[] = [
  column("Last Seen", (event, now) => eventAge(event, now, true)),
  column("Type", (event) => stringAt(event, "type") ?? ""),
  column("Reason", (event) => stringAt(event, "reason") ?? ""),
  column("Object", (event) => {
    const about = objectAt(event, "involvedObject");
    return `${(stringAt(about, "kind") ?? "").toLowerCase()}/${stringAt(about, "name") ?? ""}`;
  }),
  wide("Subobject", (event) => stringAt(objectAt(event, "involvedObject"), "fieldPath") ?? ""),
  wide("Source", (event) => {
    const source = objectAt(event, "source");
    const component = stringAt(source, "component") ?? stringAt(event, "reportingComponent") ?? "";
    return joinedSource(component, stringAt(source, "host") ?? stringAt(event, "reportingInstance"));
  }),
  column("Message", (event) => (stringAt(event, "message") ?? "").trim()),
  wide("First Seen", (event, now) => eventAge(event, now, false)),
  wide("Count", (event) => numberAt(objectAt(event, "series"), "count") ?? numberAt(event, "count") ?? 1),
  column("Name", (object) => object.metadata.name, { format: "name", priority: 1 }),
];

function joinedSource(component: string, host: string | undefined): string {
  return host ? `${component}, ${host}` : component;
}

function nodeStatus(node: KubeObject): string {
  const ready = objectsAt(status(node), "conditions").find((condition) => condition["type"] === "Ready");
  const state = ready === undefined ? "Unknown" : ready["status"] === "True" ? "Ready" : "NotReady";
  return spec(node)["unschedulable"] === true ? `${state},SchedulingDisabled` : state;
}

function nodeRoles(node: KubeObject): string {
  const prefix = "node-role.kubernetes.io/";
  const keys = Object.keys(node.metadata.labels ?? {}).filter((key) => key.startsWith(prefix));
  return joined(keys.map((key) => key.slice(prefix.length)));
}

function nodeAddress(type: string): Read {
  return (node) =>
    stringAt(
      objectsAt(status(node), "addresses").find((entry) => entry["type"] === type),
      "address",
    ) ?? none;
}

const nodeInfo =
  (field: string, missing: string): Read =>
  (node) =>
    stringAt(objectAt(status(node), "nodeInfo"), field) || missing;

const nodes: Column[] = [
  name,
  column("Status", nodeStatus),
  column("Roles", nodeRoles),
  ageColumn,
  column("Version", nodeInfo("kubeletVersion", "")),
  wide("Internal-IP", nodeAddress("InternalIP")),
  wide("External-IP", nodeAddress("ExternalIP")),
  wide("OS-Image", nodeInfo("osImage", "<unknown>")),
  wide("Kernel-Version", nodeInfo("kernelVersion", "<unknown>")),
  wide("Container-Runtime", nodeInfo("containerRuntimeVersion", "<unknown>")),
];

function hpaTargets(hpa: KubeObject): string {
  const current = objectsAt(status(hpa), "currentMetrics");
  const targets = objectsAt(spec(hpa), "metrics").map((metric, index) => {
    const type = stringAt(metric, "type") ?? "";
    const source = objectAt(metric, type.charAt(0).toLowerCase() + type.slice(1));
    const measured = objectAt(objectAt(current[index], type.charAt(0).toLowerCase() + type.slice(1)), "current");
    return `${hpaMetricName(type, source)}${hpaValue(measured)}/${hpaValue(objectAt(source, "target"))}`;
  });
  return targets.length === 0 ? none : targets.join(", ");
}

function hpaMetricName(type: string, source: JsonObject): string {
  return type === "Resource" || type === "ContainerResource" ? `${stringAt(source, "name") ?? ""}: ` : "";
}

function hpaValue(value: JsonObject): string {
  const utilization = numberAt(value, "averageUtilization");
  if (utilization !== undefined) return `${utilization}%`;
  const text = value["averageValue"] ?? value["value"];
  return text === undefined ? "<unknown>" : textOf(text);
}

const horizontalPodAutoscalers: Column[] = [
  name,
  column("Reference", (hpa) => {
    const target = objectAt(spec(hpa), "scaleTargetRef");
    return `${stringAt(target, "kind") ?? ""}/${stringAt(target, "name") ?? ""}`;
  }),
  column("Targets", hpaTargets),
  column("MinPods", (hpa) => String(numberAt(spec(hpa), "minReplicas") ?? "<unset>")),
  column("MaxPods", (hpa) => numberAt(spec(hpa), "maxReplicas") ?? 0),
  column("Replicas", (hpa) => numberAt(status(hpa), "currentReplicas") ?? 0),
  ageColumn,
];

const budget =
  (field: string): Read =>
  (pdb) =>
    textOf(spec(pdb)[field] ?? "N/A");

const podDisruptionBudgets: Column[] = [
  name,
  column("Min Available", budget("minAvailable")),
  column("Max Unavailable", budget("maxUnavailable")),
  column("Allowed Disruptions", (pdb) => numberAt(status(pdb), "disruptionsAllowed") ?? 0, integer),
  ageColumn,
];

function endpointsCell(endpoints: KubeObject): string {
  const all = objectsAt(endpoints, "subsets").flatMap((subset) =>
    objectsAt(subset, "ports").flatMap((port) =>
      objectsAt(subset, "addresses").map(
        (address) => `${stringAt(address, "ip") ?? ""}:${numberAt(port, "port") ?? ""}`,
      ),
    ),
  );
  return all.length > 3 ? `${all.slice(0, 3).join(",")} + ${all.length - 3} more...` : joined(all);
}

function firstThree(parts: readonly string[]): string {
  return parts.length > 3
    ? `${parts.slice(0, 3).join(",")} + ${parts.length - 3} more...`
    : parts.join(",") || "<unset>";
}

const bindings: Column[] = [
  name,
  column("Role", (binding) => {
    const role = objectAt(binding, "roleRef");
    return `${stringAt(role, "kind") ?? ""}/${stringAt(role, "name") ?? ""}`;
  }),
  ageColumn,
  wide("Users", subjects("User")),
  wide("Groups", subjects("Group")),
  wide("ServiceAccounts", subjects("ServiceAccount")),
];

function subjects(kind: string): Read {
  return (binding) =>
    objectsAt(binding, "subjects")
      .filter((subject) => subject["kind"] === kind)
      .map((subject) => [stringAt(subject, "namespace"), stringAt(subject, "name")].filter(Boolean).join("/"))
      .join(", ");
}

const columns: Record<string, Column[]> = {
  namespaces: [name, column("Status", (object) => stringAt(status(object), "phase") ?? ""), ageColumn],
  pods,
  services,
  configmaps: [name, column("Data", dataCount), ageColumn],
  secrets: [name, column("Type", (secret) => stringAt(secret, "type") ?? ""), column("Data", dataCount), ageColumn],
  events,
  nodes,
  endpoints: [name, column("Endpoints", endpointsCell), ageColumn],
  deployments,
  replicasets: replicaSets,
  horizontalpodautoscalers: horizontalPodAutoscalers,
  poddisruptionbudgets: podDisruptionBudgets,
  leases: [name, column("Holder", (lease) => stringAt(spec(lease), "holderIdentity") ?? ""), ageColumn],
  endpointslices: [
    name,
    column("AddressType", (slice) => stringAt(slice, "addressType") ?? ""),
    column("Ports", (slice) =>
      firstThree(objectsAt(slice, "ports").map((port) => String(numberAt(port, "port") ?? "*"))),
    ),
    column("Endpoints", (slice) =>
      firstThree(objectsAt(slice, "endpoints").flatMap((endpoint) => listAt(endpoint, "addresses").map(String))),
    ),
    ageColumn,
  ],
  roles: [name, createdAt],
  clusterroles: [name, createdAt],
  rolebindings: bindings,
  clusterrolebindings: bindings,
  customresourcedefinitions: [name, createdAt],
};

/** The columns that the real server prints for a built-in kind; name and age for those without columns of their own. */
export function builtInColumns(plural: string): Column[] {
  return columns[plural] ?? [name, ageColumn];
}
