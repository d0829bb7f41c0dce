import { objectAt, objectsAt, stringAt, isObject, listAt, type JsonObject } from "../objects.ts";

/** Sets `object[field]` unless the user did. */
export function setDefault(object: JsonObject, field: string, value: unknown): void {
  if (object[field] === undefined || object[field] === null) object[field] = value;
}

/** The defaults that the real server writes into a pod's spec, in pods and in templates. */
export function defaultPodSpec(spec: JsonObject): void {
  setDefault(spec, "restartPolicy", "Always");
  setDefault(spec, "terminationGracePeriodSeconds", 30);
  setDefault(spec, "dnsPolicy", "ClusterFirst");
  setDefault(spec, "securityContext", {});
  setDefault(spec, "schedulerName", "default-scheduler");
  if (stringAt(spec, "serviceAccountName")) spec["serviceAccount"] = spec["serviceAccountName"];
  else if (stringAt(spec, "serviceAccount")) spec["serviceAccountName"] = spec["serviceAccount"];
  for (const container of [...objectsAt(spec, "initContainers"), ...objectsAt(spec, "containers")]) {
    defaultContainer(container, spec["hostNetwork"] === true);
  }
  for (const volume of objectsAt(spec, "volumes")) defaultVolume(volume);
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): void {
  setDefault(container, "resources", {});
  setDefault(container, "terminationMessagePath", "/dev/termination-log");
  setDefault(container, "terminationMessagePolicy", "File");
  setDefault(container, "imagePullPolicy", pullPolicy(stringAt(container, "image") ?? ""));
  for (const port of objectsAt(container, "ports")) {
    setDefault(port, "protocol", "TCP");
    if (hostNetwork) setDefault(port, "hostPort", port["containerPort"]);
  }
  for (const variable of objectsAt(container, "env")) {
    const fieldRef = objectAt(variable, "valueFrom")["fieldRef"];
    if (isObject(fieldRef)) setDefault(fieldRef, "apiVersion", "v1");
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    if (isObject(container[name])) defaultProbe(container[name]);
  }
  const lifecycle = objectAt(container, "lifecycle");
  for (const hook of ["postStart", "preStop"]) defaultHttpGet(objectAt(lifecycle, hook)["httpGet"]);
  const resources = objectAt(container, "resources");
  const limits = objectAt(resources, "limits");
  if (Object.keys(limits).length > 0) resources["requests"] = { ...limits, ...objectAt(resources, "requests") };
}

/** `latest`, and an image without tag or digest, is pulled always. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultProbe(probe: JsonObject): void {
  setDefault(probe, "timeoutSeconds", 1);
  setDefault(probe, "periodSeconds", 10);
  setDefault(probe, "successThreshold", 1);
  setDefault(probe, "failureThreshold", 3);
  defaultHttpGet(probe["httpGet"]);
  if (isObject(probe["grpc"])) setDefault(probe["grpc"], "service", "");
}

function defaultHttpGet(action: unknown): void {
  if (!isObject(action)) return;
  setDefault(action, "path", "/");
  setDefault(action, "scheme", "HTTP");
}

const filesMode = 0o644;

function defaultVolume(volume: JsonObject): void {
  if (!Object.keys(volume).some((field) => field !== "name")) volume["emptyDir"] = {};
  for (const source of ["configMap", "secret", "downwardAPI", "projected"]) {
    if (isObject(volume[source])) setDefault(volume[source], "defaultMode", filesMode);
  }
  for (const source of listAt(volume["projected"], "sources")) {
    const token = objectAt(source, "serviceAccountToken");
    if ("path" in token) setDefault(token, "expirationSeconds", 3600);
  }
  if (isObject(volume["hostPath"])) setDefault(volume["hostPath"], "type", "");
}
