import {
  duplicateField,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedValue,
  type FieldError,
} from "../api-error.ts";
import {
  copyJson,
  isObject,
  objectAt,
  objectsAt,
  sameJson,
  stringAt,
  type JsonObject,
  type KubeObject,
} from "../objects.ts";
import type { Behaviour } from "../resources/resource.ts";
import { labelNameErrors } from "../validation/names.ts";
import { containerErrors } from "./containers.ts";
import { defaultPodSpec, setDefault } from "./pod-defaults.ts";

export const podBehaviour: Behaviour = {
  applyDefaults(pod) {
    const spec = objectAt(pod, "spec");
    defaultPodSpec(spec);
    setDefault(spec, "enableServiceLinks", true);
  },
  prepareForCreate(pod) {
    const spec = objectAt(pod, "spec");
    setDefault(spec, "serviceAccountName", "default");
    setDefault(spec, "serviceAccount", spec["serviceAccountName"]);
    setDefault(spec, "preemptionPolicy", "PreemptLowerPriority");
    setDefault(spec, "priority", 0);
    spec["tolerations"] = withDefaultTolerations(objectsAt(spec, "tolerations"));
    pod["status"] = { phase: "Pending", qosClass: qosClass(spec) };
  },
  validate(pod, old) {
    const spec = objectAt(pod, "spec");
    return [...podSpecErrors(spec, "spec"), ...(old ? immutabilityErrors(spec, objectAt(old, "spec")) : [])];
  },
};

const toleratedTaints = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

function withDefaultTolerations(tolerations: readonly JsonObject[]): JsonObject[] {
  const missing = toleratedTaints.filter((key) => !tolerations.some((toleration) => toleration["key"] === key));
  return [
    ...tolerations,
    ...missing.map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 })),
  ];
}

function qosClass(spec: JsonObject): string {
  const all = [...objectsAt(spec, "initContainers"), ...objectsAt(spec, "containers")].map((container) =>
    objectAt(container, "resources"),
  );
  const given = (resources: JsonObject, field: string): string[] => Object.keys(objectAt(resources, field));
  if (all.every((resources) => given(resources, "requests").length + given(resources, "limits").length === 0))
    return "BestEffort";
  const guaranteed = all.every((resources) => {
    const limits = objectAt(resources, "limits");
    return ["cpu", "memory"].every(
      (name) => limits[name] !== undefined && sameJson(limits[name], objectAt(resources, "requests")[name]),
    );
  });
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** What may change in a running pod: images, tolerations (more), deadlines, the node it is bound to. */
function immutabilityErrors(spec: JsonObject, old: JsonObject): FieldError[] {
  if (
    sameJson(fixedPart(spec), fixedPart(old)) &&
    (old["nodeName"] === undefined || old["nodeName"] === spec["nodeName"])
  )
    return [];
  const allowed =
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` " +
    "(allow it to be set to 1 if it was previously negative)";
  return [forbiddenField("spec", allowed)];
}

function fixedPart(spec: JsonObject): JsonObject {
  const {
    tolerations: _,
    activeDeadlineSeconds: __,
    terminationGracePeriodSeconds: ___,
    nodeName: ____,
    ...rest
  } = copyJson(spec);
  for (const container of [...objectsAt(rest, "containers"), ...objectsAt(rest, "initContainers")])
    delete container["image"];
  return rest;
}

/** The commonest mistakes in a pod's spec, also of templates. */
function podSpecErrors(spec: JsonObject, path: string): FieldError[] {
  const containers = objectsAt(spec, "containers");
  const errors: FieldError[] = containers.length === 0 ? [requiredField(`${path}.containers`)] : [];
  const volumes = new Set(objectsAt(spec, "volumes").map((volume) => stringAt(volume, "name")));
  const names = new Set<string>();
  for (const list of ["initContainers", "containers"]) {
    objectsAt(spec, list).forEach((container, index) => {
      const at = `${path}.${list}[${index}]`;
      const name = stringAt(container, "name") ?? "";
      if (name === "") errors.push(requiredField(`${at}.name`));
      else errors.push(...labelNameErrors(`${at}.name`, name));
      if (names.has(name))
        errors.push({
          reason: "FieldValueDuplicate",
          field: `${at}.name`,
          message: `Duplicate value: ${JSON.stringify(name)}`,
        });
      names.add(name);
      if (!stringAt(container, "image")) errors.push(requiredField(`${at}.image`));
      errors.push(...containerErrors(container, volumes, at));
    });
  }
  errors.push(...volumeErrors(objectsAt(spec, "volumes"), `${path}.volumes`));
  const policy = stringAt(spec, "restartPolicy") ?? "Always";
  // A pod of a template is replaced when it ends; one that must not start again has no use there.
  const policies = path === "spec" ? ["Always", "OnFailure", "Never"] : ["Always"];
  if (!policies.includes(policy)) errors.push(unsupportedValue(`${path}.restartPolicy`, policy, policies));
  return errors;
}

function volumeErrors(volumes: readonly JsonObject[], at: string): FieldError[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const name = stringAt(volume, "name") ?? "";
    const [, ...more] = Object.keys(volume).filter((field) => field !== "name");
    const errors = more.map((source) =>
      forbiddenField(`${at}[${index}].${source}`, "may not specify more than 1 volume type"),
    );
    if (name === "") errors.push(requiredField(`${at}[${index}].name`));
    else errors.push(...labelNameErrors(`${at}[${index}].name`, name));
    if (names.has(name)) errors.push(duplicateField(`${at}[${index}].name`, name));
    names.add(name);
    return errors;
  });
}

/** The errors of a template, and of a selector that does not select it. */
export function templateErrors(object: JsonObject): FieldError[] {
  const spec = objectAt(object, "spec");
  const selector = spec["selector"];
  const labels = objectAt(objectAt(objectAt(spec, "template"), "metadata"), "labels");
  const errors: FieldError[] = [];
  const mismatch = invalidField(
    "spec.template.metadata.labels",
    Object.keys(labels).length > 0 ? labels : null,
    "`selector` does not match template `labels`",
  );
  if (!isObject(selector)) errors.push(requiredField("spec.selector"), mismatch);
  else if (Object.keys(selector).length === 0) {
    errors.push(invalidField("spec.selector", {}, "empty selector is invalid for deployment"));
  } else if (Object.entries(objectAt(selector, "matchLabels")).some(([key, value]) => labels[key] !== value)) {
    errors.push(mismatch);
  }
  return [...errors, ...podSpecErrors(objectAt(objectAt(spec, "template"), "spec"), "spec.template.spec")];
}

/** A selector may never change: what it selected would be orphaned. */
export function selectorErrors(object: JsonObject, old: KubeObject | undefined): FieldError[] {
  if (old === undefined) return [];
  const selector = objectAt(object, "spec")["selector"];
  return sameJson(selector, objectAt(old, "spec")["selector"])
    ? []
    : [invalidField("spec.selector", selector, "field is immutable")];
}
