import { GRPC_PORT, HTTP_PORT, RUNTIME_ENV } from "../../runtime/contract.ts";
import { GROUP } from "./model-deployment.ts";
import { RUNTIME_CONTAINER } from "./names.ts";
import { LEAST_GRACE_SECONDS } from "./pod-template.ts";
import type { PodTemplate } from "./pod-template.ts";

interface Problem {
  readonly field: string;
  readonly message: string;
}

type PodSpec = NonNullable<PodTemplate["spec"]>;
type Container = NonNullable<PodSpec["containers"]>[number];
type Directed = { readonly $patch?: "merge" | "replace" | "delete" };

/** The record keeps a template for each revision, in an annotation; all annotations of an object get 256 KiB. */
const LARGEST_BYTES = 8 * 1024;
/** Keys with which others than users tell pods of this object apart. */
const OUR_KEYS = new RegExp(`^(${GROUP.replaceAll(".", "\\.")}/|app\\.kubernetes\\.io/(managed-by|component)$)`);
const OUR_PORTS: readonly number[] = [HTTP_PORT, GRPC_PORT];
const OUR_PORT_NAMES: readonly string[] = ["http", "grpc"];
const OUR_PATHS = "/var/run/slipway";

/** What the schema cannot say: merge keys, and what cannot be taken from us. */
export function podTemplateProblems(field: string, template: PodTemplate | undefined): Problem[] {
  if (template === undefined) return [];
  const { metadata = {}, spec = {} } = template;
  const size = Buffer.byteLength(JSON.stringify(template));
  const ours = (path: string, map: object = {}): Problem[] =>
    Object.keys(map)
      .filter((key) => OUR_KEYS.test(key))
      .map((key) => ({
        field: `${field}.metadata.${path}.${key}`,
        message: "is set by the operator; choose another key",
      }));
  return [
    ...(size > LARGEST_BYTES
      ? [{ field, message: `must not be larger than ${LARGEST_BYTES} bytes as JSON; it has ${size}` }]
      : []),
    ...ours("labels", metadata.labels),
    ...ours("annotations", metadata.annotations),
    ...specProblems(`${field}.spec`, spec),
  ];
}

function specProblems(field: string, spec: PodSpec): Problem[] {
  const { containers = [], initContainers = [], volumes = [] } = spec;
  const grace = spec.terminationGracePeriodSeconds ?? LEAST_GRACE_SECONDS;
  return [
    ...keyProblems(`${field}.containers`, containers, "name"),
    ...keyProblems(`${field}.initContainers`, initContainers, "name"),
    ...keyProblems(`${field}.volumes`, volumes, "name"),
    ...keyProblems(`${field}.imagePullSecrets`, spec.imagePullSecrets, "name"),
    ...keyProblems(`${field}.topologySpreadConstraints`, spec.topologySpreadConstraints, "topologyKey"),
    ...keyProblems(`${field}.hostAliases`, spec.hostAliases, "ip"),
    ...(grace < LEAST_GRACE_SECONDS
      ? [
          {
            field: `${field}.terminationGracePeriodSeconds`,
            message: `must be at least ${LEAST_GRACE_SECONDS}: a pod serves on until clients have left it`,
          },
        ]
      : []),
    ...containers.flatMap((item, index) => containerProblems(`${field}.containers[${index}]`, item)),
    ...initContainers.flatMap((item, index) => initContainerProblems(`${field}.initContainers[${index}]`, item)),
    ...containers.flatMap((item, index) =>
      item.$patch === "replace" && item.name === undefined
        ? [
            {
              field: `${field}.containers[${index}].$patch`,
              message: `the ${RUNTIME_CONTAINER} container cannot be taken away`,
            },
          ]
        : [],
    ),
    ...volumes.flatMap(({ name }, index) =>
      name === "model"
        ? [
            {
              field: `${field}.volumes[${index}].name`,
              message: "model is the volume of the version's source; choose another name",
            },
          ]
        : [],
    ),
  ];
}

function containerProblems(field: string, container: Container): Problem[] {
  return [
    ...listProblems(field, container),
    ...(container.name === RUNTIME_CONTAINER ? runtimeProblems(field, container) : []),
  ];
}

function initContainerProblems(field: string, container: Container): Problem[] {
  const isTaken = container.name === RUNTIME_CONTAINER;
  return [
    ...listProblems(field, container),
    ...(isTaken ? [{ field: `${field}.name`, message: "is the model's own container; choose another name" }] : []),
  ];
}

function listProblems(field: string, { env, volumeMounts, ports = [] }: Container): Problem[] {
  return [
    ...keyProblems(`${field}.env`, env, "name"),
    ...keyProblems(`${field}.volumeMounts`, volumeMounts, "mountPath"),
    ...keyProblems(`${field}.ports`, ports, "containerPort"),
    ...ports.flatMap(({ containerPort = 0, name = "" }, index) =>
      OUR_PORTS.includes(containerPort) || OUR_PORT_NAMES.includes(name)
        ? [
            {
              field: `${field}.ports[${index}]`,
              message: "the ports http (8000) and grpc (9000) are the model's; choose another",
            },
          ]
        : [],
    ),
  ];
}

/** Fields of the model's container that are set elsewhere, or that make it one. */
const ELSEWHERE: readonly (readonly [keyof Container, string])[] = [
  ["image", "set the version's image instead"],
  ["livenessProbe", "set serving.probes instead"],
  ["readinessProbe", "set serving.probes instead"],
  ["startupProbe", "set serving.probes instead"],
  ["restartPolicy", "is for initContainers"],
];

function runtimeProblems(field: string, container: Container): Problem[] {
  const { $patch: directive = "merge", env = [], ports = [], volumeMounts = [], lifecycle } = container;
  const reserved: readonly string[] = Object.values(RUNTIME_ENV);
  const replaced = (list: readonly Directed[], path: string): Problem[] =>
    list.flatMap((item, index) =>
      item.$patch === "replace" && Object.keys(item).length === 1
        ? [{ field: `${field}.${path}[${index}].$patch`, message: "would take away what the operator sets" }]
        : [],
    );
  return [
    ...(directive === "merge"
      ? []
      : [{ field: `${field}.$patch`, message: `the ${RUNTIME_CONTAINER} container cannot be taken away or replaced` }]),
    ...ELSEWHERE.filter(([name]) => container[name] !== undefined).map(([name, message]) => ({
      field: `${field}.${name}`,
      message,
    })),
    ...(lifecycle?.preStop === undefined && lifecycle?.$patch === undefined
      ? []
      : [
          { field: `${field}.lifecycle`, message: "preStop keeps requests from being lost; only postStart may be set" },
        ]),
    ...env.flatMap(({ name = "" }, index) =>
      reserved.includes(name)
        ? [{ field: `${field}.env[${index}].name`, message: "is set by the operator; choose another name" }]
        : [],
    ),
    ...replaced(env, "env"),
    ...replaced(ports, "ports"),
    ...replaced(volumeMounts, "volumeMounts"),
    ...volumeMounts.flatMap(({ mountPath = "" }, index) =>
      mountPath === OUR_PATHS || mountPath.startsWith(`${OUR_PATHS}/`)
        ? [
            {
              field: `${field}.volumeMounts[${index}].mountPath`,
              message: `${OUR_PATHS} is the operator's; choose another`,
            },
          ]
        : [],
    ),
  ];
}

/** In a list that is merged each item says which one it is; only a directive for the whole list needs no key. */
function keyProblems<Item extends Directed>(
  field: string,
  list: readonly Item[] = [],
  key: string & keyof Item,
): Problem[] {
  return list.flatMap((item, index) => {
    const isDirective = item.$patch === "replace" && Object.keys(item).length === 1;
    return isDirective || item[key] !== undefined
      ? []
      : [{ field: `${field}[${index}].${key}`, message: `is needed: items of this list are merged by ${key}` }];
  });
}
