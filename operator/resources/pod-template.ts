import type { V1Container, V1PodSpec, V1PodTemplateSpec, V1SecurityContext } from "@kubernetes/client-node";
import { RUNTIME_CONTAINER } from "../api/names.ts";
import type { PodTemplate } from "../api/pod-template.ts";
import { canonicalQuantity } from "./quantity.ts";
import { strategicMerge } from "./strategic-merge.ts";

/** The template that we build with the users' laid over it, one after the other. */
export function customizedTemplate(built: V1PodTemplateSpec, patches: readonly PodTemplate[]): V1PodTemplateSpec {
  if (patches.length === 0) return built;
  const { spec, ...merged } = patches.reduce<V1PodTemplateSpec>(strategicMerge, built);
  return { ...merged, ...(spec && { spec: asAnApiServerKeepsIt(spec) }) };
}

/** A container beside the model's meets the restricted Pod Security Standard too, unless it says what it needs. */
const RESTRICTED: V1SecurityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };

function asAnApiServerKeepsIt({ containers, initContainers, volumes, ...spec }: V1PodSpec): V1PodSpec {
  return {
    ...spec,
    containers: containers.map(completed).map(canonical),
    ...(initContainers && { initContainers: initContainers.map(completed).map(canonical) }),
    ...(volumes && { volumes: volumes.map(canonical) }),
  };
}

/** Server-side apply tells ports apart by their protocol, so it has to be said. */
function completed({ ports, securityContext, ...container }: V1Container): V1Container {
  const isOurs = container.name === RUNTIME_CONTAINER;
  const security = securityContext ?? (isOurs ? undefined : RESTRICTED);
  return {
    ...container,
    ...(ports && { ports: ports.map(({ protocol = "TCP", ...port }) => ({ ...port, protocol })) }),
    ...(security && { securityContext: security }),
  };
}

/** Fields that hold a quantity, and those that hold a map of them. */
const QUANTITIES: readonly string[] = ["sizeLimit", "divisor"];
const QUANTITY_MAPS: readonly string[] = ["requests", "limits"];
/** What the API server does not keep when it is false, because that is what it means without. */
const FALSE_BY_ABSENCE: readonly string[] = ["readOnly", "stdin", "tty"];

/** In the form in which the API server gives it back: another one would look like drift, and be written for ever. */
function canonical<T extends object>(value: T): T {
  const entries = Object.entries(value).filter(
    ([name, child]) => !(child === false && FALSE_BY_ABSENCE.includes(name)),
  );
  return Object.fromEntries(entries.map(([name, child]) => [name, canonicalField(name, child)])) as T;
}

function canonicalField(name: string, value: unknown): unknown {
  if (QUANTITIES.includes(name) && isQuantity(value)) return canonicalQuantity(value);
  if (Array.isArray(value)) return value.map((item: unknown) => canonicalField("", item));
  if (typeof value !== "object" || value === null) return value;
  if (!QUANTITY_MAPS.includes(name)) return canonical(value);
  return Object.fromEntries(
    Object.entries(value).map(([resource, amount]: [string, unknown]) => [
      resource,
      isQuantity(amount) ? canonicalQuantity(amount) : amount,
    ]),
  );
}

function isQuantity(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}
