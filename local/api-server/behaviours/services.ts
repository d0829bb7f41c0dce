import { duplicateField, invalidField, requiredField, unsupportedValue, type FieldError } from "../api-error.ts";
import {
  listAt,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  isObject,
  type JsonObject,
  type KubeObject,
} from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
import type { Storage } from "../storage/storage.ts";
import { labelNameErrors } from "../validation/names.ts";
import { setDefault } from "./pod-defaults.ts";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const firstNodePort = 30_000;
const lastNodePort = 32_767;

/** Services, with addresses from 10.96.0.0/16 and node ports from the usual range. */
export function serviceBehaviour(storage: Storage): Behaviour {
  return {
    applyDefaults: defaultService,
    prepareForCreate(service) {
      allocate(storage, service);
      service["status"] = { loadBalancer: {} };
    },
    prepareForUpdate(service, old) {
      keepAllocations(service, old);
      const balancer = objectAt(objectAt(service, "status"), "loadBalancer");
      if (objectAt(service, "spec")["type"] !== "LoadBalancer") delete balancer["ingress"];
      for (const ingress of objectsAt(balancer, "ingress"))
        if (ingress["ip"] !== undefined) setDefault(ingress, "ipMode", "VIP");
      allocate(storage, service);
    },
    validate: (service, old) => serviceErrors(storage, service, old),
  };
}

function defaultService(service: JsonObject): void {
  const spec = objectAt(service, "spec");
  setDefault(spec, "sessionAffinity", "None");
  setDefault(spec, "type", "ClusterIP");
  if (spec["sessionAffinity"] === "ClientIP")
    setDefault(spec, "sessionAffinityConfig", { clientIP: { timeoutSeconds: 10_800 } });
  for (const port of objectsAt(spec, "ports")) {
    setDefault(port, "protocol", "TCP");
    if (!port["targetPort"]) port["targetPort"] = port["port"];
  }
  if (spec["type"] === "ExternalName") return;
  setDefault(spec, "internalTrafficPolicy", "Cluster");
  if (spec["type"] === "ClusterIP") return;
  setDefault(spec, "externalTrafficPolicy", "Cluster");
  if (spec["type"] === "LoadBalancer") setDefault(spec, "allocateLoadBalancerNodePorts", true);
}

function keepAllocations(service: JsonObject, old: KubeObject): void {
  const spec = objectAt(service, "spec");
  const former = objectAt(old, "spec");
  for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
    if (former[field] !== undefined && spec["type"] !== "ExternalName") setDefault(spec, field, former[field]);
  }
  if (needsNodePorts(spec)) {
    for (const port of objectsAt(spec, "ports")) {
      const same = objectsAt(former, "ports").find(
        (before) => before["port"] === port["port"] && before["protocol"] === port["protocol"],
      );
      if (same?.["nodePort"] !== undefined) setDefault(port, "nodePort", same["nodePort"]);
    }
  } else if (former["type"] !== spec["type"]) {
    for (const port of objectsAt(spec, "ports")) delete port["nodePort"];
    delete spec["allocateLoadBalancerNodePorts"];
    delete spec["externalTrafficPolicy"];
  }
}

function allocate(storage: Storage, service: JsonObject): void {
  const spec = objectAt(service, "spec");
  if (spec["type"] !== "ExternalName") {
    if (!stringAt(spec, "clusterIP")) spec["clusterIP"] = freeAddress(storage);
    setDefault(spec, "clusterIPs", [spec["clusterIP"]]);
    // Without a selector someone else writes the endpoints, of whichever family.
    const anyFamily = spec["clusterIP"] === "None" && spec["selector"] === undefined;
    setDefault(spec, "ipFamilies", anyFamily ? ["IPv4", "IPv6"] : ["IPv4"]);
    setDefault(spec, "ipFamilyPolicy", anyFamily ? "RequireDualStack" : "SingleStack");
  }
  if (!needsNodePorts(spec)) return;
  const used = new Set(
    storage
      .list("services")
      .flatMap((other) => objectsAt(objectAt(other, "spec"), "ports").map((port) => port["nodePort"])),
  );
  for (const port of objectsAt(spec, "ports")) {
    if (numberAt(port, "nodePort")) continue;
    port["nodePort"] = freeNodePort(used);
    used.add(port["nodePort"]);
  }
}

function needsNodePorts(spec: JsonObject): boolean {
  return (
    spec["type"] === "NodePort" || (spec["type"] === "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] !== false)
  );
}

function freeAddress(storage: Storage): string {
  const used = new Set(storage.list("services").map((service) => objectAt(service, "spec")["clusterIP"]));
  const size = 2 ** 16;
  const start = 2 + Math.floor(Math.random() * (size - 3));
  for (let step = 0; step < size; step++) {
    const host = 1 + ((start + step) % (size - 2));
    const address = `10.96.${host >> 8}.${host & 255}`;
    if (!used.has(address)) return address;
  }
  throw new Error("allocating a cluster IP: all of 10.96.0.0/16 is taken");
}

function freeNodePort(used: ReadonlySet<unknown>): number {
  for (let port = firstNodePort; port <= lastNodePort; port++) if (!used.has(port)) return port;
  throw new Error(`allocating a node port: all of ${firstNodePort}-${lastNodePort} are taken`);
}

function serviceErrors(storage: Storage, service: JsonObject, old: KubeObject | undefined): FieldError[] {
  const spec = objectAt(service, "spec");
  const type = stringAt(spec, "type") ?? "";
  const ports = objectsAt(spec, "ports");
  const errors: FieldError[] = [];
  const affinity = stringAt(spec, "sessionAffinity") ?? "None";
  if (!["ClientIP", "None"].includes(affinity))
    errors.push(unsupportedValue("spec.sessionAffinity", affinity, ["ClientIP", "None"]));
  if (!types.includes(type)) errors.push(unsupportedValue("spec.type", type, types));
  const isHeadless = spec["clusterIP"] === "None";
  if (ports.length === 0 && !isHeadless && type !== "ExternalName") errors.push(requiredField("spec.ports"));
  if (type === "ExternalName" && !stringAt(spec, "externalName")) errors.push(requiredField("spec.externalName"));
  ports.forEach((port, index) => errors.push(...portErrors(port, `spec.ports[${index}]`, ports.length > 1)));
  errors.push(...duplicatePorts(ports));
  const address = stringAt(spec, "clusterIP");
  const former = old && stringAt(objectAt(old, "spec"), "clusterIP");
  if (former && address !== former && type !== "ExternalName") {
    errors.push(invalidField("spec.clusterIPs[0]", listAt(spec, "clusterIPs"), "may not change once set"));
  } else if (!old && address && !isHeadless && isTaken(storage, service, address)) {
    errors.push(
      invalidField("spec.clusterIPs", [address], `failed to allocate IP ${address}: provided IP is already allocated`),
    );
  }
  return errors;
}

function isTaken(storage: Storage, service: JsonObject, address: string): boolean {
  const { uid } = objectAt(service, "metadata");
  return storage
    .list("services")
    .some((other) => other.metadata.uid !== uid && objectAt(other, "spec")["clusterIP"] === address);
}

function portErrors(port: JsonObject, at: string, mustBeNamed: boolean): FieldError[] {
  const number = numberAt(port, "port") ?? 0;
  const errors: FieldError[] = [];
  const name = stringAt(port, "name");
  if (mustBeNamed && !name) errors.push(requiredField(`${at}.name`));
  if (name) errors.push(...labelNameErrors(`${at}.name`, name));
  if (number < 1 || number > 65535)
    errors.push(invalidField(`${at}.port`, number, "must be between 1 and 65535, inclusive"));
  const target = port["targetPort"];
  if (typeof target === "number" && (target < 1 || target > 65535)) {
    errors.push(invalidField(`${at}.targetPort`, target, "must be between 1 and 65535, inclusive"));
  }
  const protocol = stringAt(port, "protocol") ?? "TCP";
  if (!["SCTP", "TCP", "UDP"].includes(protocol))
    errors.push(unsupportedValue(`${at}.protocol`, protocol, ["SCTP", "TCP", "UDP"]));
  return errors;
}

function duplicatePorts(ports: readonly JsonObject[]): FieldError[] {
  const seen = new Set<string>();
  const names = new Set<unknown>();
  return ports.flatMap((port, index): FieldError[] => {
    const { name } = port;
    if (name && names.has(name)) return [duplicateField(`spec.ports[${index}].name`, name)];
    names.add(name);
    const identity = `${String(port["port"])}/${String(port["protocol"])}`;
    if (!seen.has(identity)) {
      seen.add(identity);
      return [];
    }
    const value = isObject(port) ? { protocol: port["protocol"], port: port["port"] } : port;
    return [
      {
        reason: "FieldValueDuplicate",
        field: `spec.ports[${index}]`,
        message: `Duplicate value: ${JSON.stringify(value)}`,
      },
    ];
  });
}
