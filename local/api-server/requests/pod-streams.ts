import { ApiError } from "../api-error.ts";
import { objectAt, objectsAt, stringAt, type KubeObject } from "../objects.ts";

/**
 * Why port-forward, exec and attach are not served, and what does the same: they speak SPDY (over WebSockets too), which
 * is much to serve on a machine where a pod's ports and processes are one's own already.
 */
export function refusePodStream(pod: KubeObject, subresource: string): ApiError | undefined {
  const status = objectAt(pod, "status");
  switch (subresource) {
    case "portforward":
      return refusal(`port-forward is not served here, nor needed: ${portsOf(pod, stringAt(status, "podIP"))}`);
    case "exec":
      return refusal(`exec and cp are not served here: ${processesOf(status)}; logs and files are in the state folder`);
    case "attach":
      return refusal("attach is not served here: see kubectl logs -f");
    default:
      return undefined;
  }
}

function refusal(message: string): ApiError {
  return new ApiError(405, "MethodNotAllowed", message);
}

function portsOf(pod: KubeObject, address: string | undefined): string {
  if (address === undefined) return "once the pod has an address, this machine reaches it directly";
  const ports = objectsAt(objectAt(pod, "spec"), "containers").flatMap((container) => objectsAt(container, "ports"));
  const places = ports.map((port) => `${address}:${String(port["containerPort"])}`);
  return `this machine reaches the pod at ${places.join(", ") || address}, and a model at the URL that npm start printed`;
}

function processesOf(status: object): string {
  const processes = objectsAt(status, "containerStatuses").flatMap((container) => {
    const id = stringAt(container, "containerID")?.replace("process://", "process ");
    return id === undefined ? [] : [`${String(container["name"])} is ${id} of this machine`];
  });
  return processes.join(", ") || "a container is a process of this machine, once it runs";
}
