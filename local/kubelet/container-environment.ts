import type { ClusterView } from "../cluster/view.ts";
import type { Container, Pod } from "../cluster/objects.ts";
import { amountOf } from "./quantity.ts";

/** A container cannot start until something that it refers to exists. kubectl shows `reason` as what it waits for. */
export class ContainerConfigError extends Error {
  override readonly name = "ContainerConfigError";
  readonly reason: "CreateContainerConfigError" | "ErrImagePull";

  constructor(message: string, reason: ContainerConfigError["reason"] = "CreateContainerConfigError") {
    super(message);
    this.reason = reason;
  }
}

type EnvVar = NonNullable<Container["env"]>[number];
type EnvSource = NonNullable<EnvVar["valueFrom"]>;
export type Objects = Pick<ClusterView, "configMaps" | "secrets">;

/**
 * The environment that the pod's author asked for: envFrom, then env in order, with `$(NAME)` of earlier variables expanded.
 * @throws ContainerConfigError
 */
export function containerEnvironment(
  container: Container,
  pod: Pod,
  podIP: string,
  objects: Objects,
): Map<string, string> {
  const environment = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of envFromEntries(source, pod, objects))
      environment.set((source.prefix ?? "") + key, value);
  }
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expandVariables(variable.value ?? "", environment)
        : valueFrom(variable.valueFrom, container, pod, podIP, objects);
    if (value !== undefined) environment.set(variable.name, value);
  }
  return environment;
}

/** `$(NAME)` becomes the variable's value, `$$(NAME)` the text `$(NAME)`; an unknown name is left as it is. */
export function expandVariables(text: string, environment: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? "$" : (environment.get(name) ?? match),
  );
}

function envFromEntries(
  { configMapRef, secretRef }: NonNullable<Container["envFrom"]>[number],
  pod: Pod,
  objects: Objects,
): [string, string][] {
  const { namespace } = pod.metadata;
  if (configMapRef !== undefined) {
    const configMap = objects.configMaps.get(namespace, configMapRef.name ?? "");
    if (configMap === undefined && configMapRef.optional !== true)
      throw missing("configmap", namespace, configMapRef.name);
    return Object.entries(configMap?.data ?? {});
  }
  if (secretRef !== undefined) {
    const secret = objects.secrets.get(namespace, secretRef.name ?? "");
    if (secret === undefined && secretRef.optional !== true) throw missing("secret", namespace, secretRef.name);
    return Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decode(value)]);
  }
  return [];
}

function valueFrom(
  source: EnvSource,
  container: Container,
  pod: Pod,
  podIP: string,
  objects: Objects,
): string | undefined {
  if (source.fieldRef !== undefined) return podField(source.fieldRef.fieldPath, pod, podIP);
  if (source.resourceFieldRef !== undefined) return resourceField(source.resourceFieldRef, container);
  if (source.configMapKeyRef !== undefined) {
    const { name, key, optional } = source.configMapKeyRef;
    const value = objects.configMaps.get(pod.metadata.namespace, name ?? "")?.data?.[key];
    if (value === undefined && optional !== true) throw missing("configmap", pod.metadata.namespace, name, key);
    return value;
  }
  if (source.secretKeyRef !== undefined) {
    const { name, key, optional } = source.secretKeyRef;
    const value = objects.secrets.get(pod.metadata.namespace, name ?? "")?.data?.[key];
    if (value === undefined && optional !== true) throw missing("secret", pod.metadata.namespace, name, key);
    return value === undefined ? undefined : decode(value);
  }
  throw new ContainerConfigError(`the local kubelet cannot resolve the variable source ${JSON.stringify(source)}`);
}

/** A field of the downward API. @throws ContainerConfigError */
export function podField(path: string, pod: Pod, podIP: string): string {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) return metadata[keyed[1] === "labels" ? "labels" : "annotations"]?.[keyed[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace;
    case "metadata.uid":
      return metadata.uid;
    case "metadata.labels":
    case "metadata.annotations":
      return fieldLines(path === "metadata.labels" ? metadata.labels : metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.podIP":
    case "status.podIPs":
      return podIP;
    default:
      throw new ContainerConfigError(`the local kubelet does not know the field ${path}`);
  }
}

function fieldLines(entries: Record<string, string> = {}): string {
  return Object.entries(entries)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
    .join("\n");
}

function resourceField(
  { resource, divisor, containerName }: NonNullable<EnvSource["resourceFieldRef"]>,
  container: Container,
): string {
  if (containerName !== undefined && containerName !== container.name) {
    throw new ContainerConfigError(
      `the local kubelet resolves resources only of the container itself, not of "${containerName}"`,
    );
  }
  const [kind, name] = resource.split(".") as ["limits" | "requests", string];
  const quantity = container.resources?.[kind]?.[name] ?? "0";
  const unit = divisor === undefined || divisor === "0" ? 1 : amountOf(divisor);
  return String(Math.ceil(amountOf(quantity) / unit));
}

function missing(kind: string, namespace: string, name = "", key?: string): ContainerConfigError {
  return new ContainerConfigError(
    key === undefined ? `${kind} "${name}" not found` : `couldn't find key ${key} in ${kind} ${namespace}/${name}`,
  );
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}
