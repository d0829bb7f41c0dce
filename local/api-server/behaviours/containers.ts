import {
  duplicateField,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedValue,
  type FieldError,
} from "../api-error.ts";
import { objectAt, objectsAt, stringAt, textOf, type JsonObject } from "../objects.ts";
import { parseQuantity } from "../quantity.ts";
import { negativeErrors } from "./numbers.ts";

/** The commonest mistakes in one container. */
export function containerErrors(
  container: JsonObject,
  volumes: ReadonlySet<string | undefined>,
  at: string,
): FieldError[] {
  return [
    ...policyErrors(container, at),
    ...portErrors(objectsAt(container, "ports"), `${at}.ports`),
    ...objectsAt(container, "env").flatMap((variable, index) => variableErrors(variable, `${at}.env[${index}]`)),
    ...objectsAt(container, "volumeMounts").flatMap((mount, index) =>
      mountErrors(mount, volumes, `${at}.volumeMounts[${index}]`),
    ),
    ...probeErrors(container, at),
    ...resourceErrors(objectAt(container, "resources"), `${at}.resources`),
  ];
}

function policyErrors(container: JsonObject, at: string): FieldError[] {
  const policy = stringAt(container, "imagePullPolicy") ?? "Always";
  const known = ["Always", "IfNotPresent", "Never"];
  return known.includes(policy) ? [] : [unsupportedValue(`${at}.imagePullPolicy`, policy, known)];
}

const portNameRule = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
const protocols = ["SCTP", "TCP", "UDP"];

function portErrors(ports: readonly JsonObject[], at: string): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const [number, name] = [port["containerPort"], stringAt(port, "name")];
    const errors: FieldError[] = [];
    if (name && !isPortName(name)) errors.push(invalidField(`${at}[${index}].name`, name, portNameRule));
    else if (name && names.has(name)) errors.push(duplicateField(`${at}[${index}].name`, name));
    if (name) names.add(name);
    const field = `${at}[${index}].containerPort`;
    if (typeof number !== "number" || number === 0) errors.push(requiredField(field));
    else if (number < 1 || number > 65535)
      errors.push(invalidField(field, number, "must be between 1 and 65535, inclusive"));
    const protocol = stringAt(port, "protocol") ?? "TCP";
    if (!protocols.includes(protocol)) errors.push(unsupportedValue(`${at}[${index}].protocol`, protocol, protocols));
    return errors;
  });
}

function isPortName(name: string): boolean {
  return /^[-a-z0-9]+$/.test(name);
}

const variableRule = "a valid environment variable name must consist only of printable ASCII characters other than '='";
const sources = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";

function variableErrors(variable: JsonObject, at: string): FieldError[] {
  const name = stringAt(variable, "name") ?? "";
  const errors: FieldError[] = [];
  if (name === "") errors.push(requiredField(`${at}.name`));
  else if (!/^[ -<>-~]+$/.test(name)) errors.push(invalidField(`${at}.name`, name, variableRule));
  if (variable["valueFrom"] === undefined) return errors;
  if (stringAt(variable, "value"))
    errors.push(invalidField(`${at}.valueFrom`, "", "may not be specified when `value` is not empty"));
  else if (Object.keys(objectAt(variable, "valueFrom")).length === 0)
    errors.push(invalidField(`${at}.valueFrom`, "", `must specify one of: ${sources}`));
  return errors;
}

function mountErrors(mount: JsonObject, volumes: ReadonlySet<string | undefined>, at: string): FieldError[] {
  const name = stringAt(mount, "name");
  const missing: FieldError = {
    reason: "FieldValueNotFound",
    field: `${at}.name`,
    message: `Not found: ${JSON.stringify(name)}`,
  };
  return [
    ...(volumes.has(name) ? [] : [missing]),
    ...(stringAt(mount, "mountPath") ? [] : [requiredField(`${at}.mountPath`)]),
  ];
}

const handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
const probeNumbers = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

function probeErrors(container: JsonObject, at: string): FieldError[] {
  return ["livenessProbe", "readinessProbe", "startupProbe"].flatMap((name) => {
    if (container[name] === undefined) return [];
    const probe = objectAt(container, name);
    const field = `${at}.${name}`;
    const [first, ...more] = handlers.filter((handler) => probe[handler] !== undefined);
    const errors = more.map((handler) =>
      forbiddenField(`${field}.${handler}`, "may not specify more than 1 handler type"),
    );
    if (first === undefined) errors.push(requiredField(field, "must specify a handler type"));
    const port = objectAt(probe, first ?? "")["port"];
    if (typeof port === "string" && !isPortName(port))
      errors.push(invalidField(`${field}.${first}.port`, port, portNameRule));
    errors.push(...negativeErrors(probe, probeNumbers, field));
    if (name !== "readinessProbe" && Number(probe["successThreshold"] ?? 1) > 1)
      errors.push(invalidField(`${field}.successThreshold`, probe["successThreshold"], "must be 1"));
    return errors;
  });
}

function resourceErrors(resources: JsonObject, at: string): FieldError[] {
  const limits = objectAt(resources, "limits");
  const negative = ["limits", "requests"].flatMap((list) =>
    Object.entries(objectAt(resources, list)).flatMap(([name, amount]) =>
      (parseQuantity(textOf(amount)) ?? 0) < 0
        ? [invalidField(`${at}.${list}[${name}]`, textOf(amount), "must be greater than or equal to 0")]
        : [],
    ),
  );
  const tooMuch = Object.entries(objectAt(resources, "requests")).flatMap(([name, request]) => {
    const limit = limits[name];
    const wanted = parseQuantity(textOf(request));
    const most = limit === undefined ? undefined : parseQuantity(textOf(limit));
    if (wanted === undefined || most === undefined || wanted <= most) return [];
    const why = `must be less than or equal to ${name} limit of ${textOf(limit)}`;
    return [invalidField(`${at}.requests`, textOf(request), why)];
  });
  return [...negative, ...tooMuch];
}
