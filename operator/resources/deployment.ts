import type {
  V1Container,
  V1Deployment,
  V1EnvVar,
  V1PodSpec,
  V1ResourceRequirements,
  V1Volume,
} from "@kubernetes/client-node";
import {
  CREDENTIAL_KEYS,
  CREDENTIAL_VARIABLES,
  GRPC_PORT,
  HTTP_PORT,
  MLFLOW_CREDENTIAL_KEYS,
  MLFLOW_ENV,
  RUNTIME_ENV,
} from "../../runtime/contract.ts";
import { COMPONENTS, LABELS, MANAGED_BY, RUNTIME_CONTAINER, childNames } from "../api/names.ts";
import type { ValidModelDeployment } from "../api/parse.ts";
import type { Resources } from "../api/serving.ts";
import { schemeOf } from "../api/source.ts";
import type { Source } from "../api/source.ts";
import type { PlannedRevision } from "../plan/plan-rollout.ts";
import { childMetadata, selectorLabels } from "./metadata.ts";
import { customizedTemplate } from "./pod-template.ts";
import { containerProbes } from "./probes.ts";
import { servingEnvironment } from "./serving-environment.ts";
import { canonicalQuantity } from "./quantity.ts";
import { containerSecurity, podSecurity, spreadEvenly } from "./security.ts";
import type { PodUsers } from "./security.ts";

/** Outlasts what a client of the headless Service may still hold in its DNS cache (30 s is the longest usual TTL). */
const PRE_STOP_SECONDS = 15;
/** After SIGTERM answers carry `Connection: close` for this long, so that clients on kept connections move over. */
const DRAIN_SECONDS = 5;
/** The longest request that the router lets run. */
const LONGEST_REQUEST_SECONDS = 60;

const CONFIG_MAP_ROOT = "/var/run/slipway/configmaps";
const CLAIM_ROOT = "/var/run/slipway/claims";
const CACHE_DIR = "/var/cache/slipway";
const TERMINATION_MESSAGE_PATH = "/dev/termination-log";

/** The pods of one revision. Under an HPA `replicas` is left to it. */
export function deployment(md: ValidModelDeployment, revision: PlannedRevision, users: PodUsers): V1Deployment {
  const name = childNames.revision(md.name, revision.id);
  const labels = selectorLabels(md.name, COMPONENTS.revision, revision.id);
  const podLabels = { ...labels, [LABELS.version]: revision.version, [LABELS.managedBy]: MANAGED_BY };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: childMetadata(md, name, COMPONENTS.revision, { labels: podLabels }),
    spec: {
      ...(revision.serving.autoscaling === undefined && { replicas: revision.floor }),
      revisionHistoryLimit: 1,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: customizedTemplate(
        { metadata: { labels: podLabels }, spec: podSpec(md, revision, labels, users) },
        revision.podTemplates ?? [],
      ),
    },
  };
}

function podSpec(
  md: ValidModelDeployment,
  revision: PlannedRevision,
  labels: Record<string, string>,
  users: PodUsers,
): V1PodSpec {
  const modelVolume = volumeOf(revision.source);
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: podSecurity(users),
    terminationGracePeriodSeconds: PRE_STOP_SECONDS + DRAIN_SECONDS + LONGEST_REQUEST_SECONDS,
    topologySpreadConstraints: spreadEvenly(labels),
    containers: [container(md, revision)],
    volumes: [
      { name: "cache", emptyDir: {} },
      { name: "tmp", emptyDir: {} },
      ...(modelVolume === undefined ? [] : [modelVolume.volume]),
    ],
  };
}

function container(md: ValidModelDeployment, revision: PlannedRevision): V1Container {
  const { serving, source, image, grpc } = revision;
  const modelVolume = volumeOf(source);
  return {
    name: RUNTIME_CONTAINER,
    image,
    ports: [
      { name: "http", containerPort: HTTP_PORT, protocol: "TCP" },
      ...(grpc ? [{ name: "grpc", containerPort: GRPC_PORT, protocol: "TCP" }] : []),
    ],
    env: environment(md, revision),
    ...(serving.resources && { resources: canonicalResources(serving.resources) }),
    ...containerProbes(serving.probes),
    lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
    terminationMessagePath: TERMINATION_MESSAGE_PATH,
    terminationMessagePolicy: "FallbackToLogsOnError",
    securityContext: containerSecurity(),
    volumeMounts: [
      { name: "cache", mountPath: CACHE_DIR },
      { name: "tmp", mountPath: "/tmp" },
      ...(modelVolume === undefined ? [] : [{ name: "model", mountPath: modelVolume.mountPath, readOnly: true }]),
    ],
  };
}

/** The user's own variable comes before ours of the same name: the API server takes each name once. */
function environment(md: ValidModelDeployment, revision: PlannedRevision): V1EnvVar[] {
  const own = (revision.serving.env ?? []).map(passedOn);
  const given = new Set(own.map(({ name }) => name));
  const { source, serving } = revision;
  const ours = [...servingEnvironment(md, serving), ...mlflowServer(source), ...credentials(source)];
  return [...contractEnvironment(md, revision), ...ours.filter(({ name }) => !given.has(name)), ...own];
}

function contractEnvironment({ name }: ValidModelDeployment, revision: PlannedRevision): V1EnvVar[] {
  const { id, version, source, artifact, grpc } = revision;
  const values: [string, string | undefined][] = [
    [RUNTIME_ENV.uri, artifact ?? source?.uri],
    [RUNTIME_ENV.sha256, source?.sha256],
    [RUNTIME_ENV.name, name],
    [RUNTIME_ENV.version, version],
    [RUNTIME_ENV.variant, version],
    [RUNTIME_ENV.revision, id],
    [RUNTIME_ENV.port, String(HTTP_PORT)],
    [RUNTIME_ENV.grpcPort, grpc && String(GRPC_PORT)],
    [RUNTIME_ENV.configMapRoot, CONFIG_MAP_ROOT],
    [RUNTIME_ENV.claimRoot, source?.uri.startsWith("pvc://") ? CLAIM_ROOT : undefined],
    [RUNTIME_ENV.cacheDir, CACHE_DIR],
    [RUNTIME_ENV.terminationMessagePath, TERMINATION_MESSAGE_PATH],
    [RUNTIME_ENV.drainSeconds, String(DRAIN_SECONDS)],
  ];
  return values.flatMap(([key, value]) => (value === undefined ? [] : [{ name: key, value }]));
}

/** Who names an http:// server has chosen to speak plain HTTP to it. */
function mlflowServer({ mlflow }: Partial<Source> = {}): V1EnvVar[] {
  if (mlflow === undefined) return [];
  const { trackingUri, secretRef } = mlflow;
  return [
    { name: MLFLOW_ENV.trackingUri, value: trackingUri },
    ...(trackingUri.startsWith("http:") ? [{ name: MLFLOW_ENV.allowHttp, value: "true" }] : []),
    ...(secretRef === undefined ? [] : fromSecret(secretRef.name, MLFLOW_CREDENTIAL_KEYS)),
  ];
}

function credentials({ uri, secretRef }: Partial<Source> = {}): V1EnvVar[] {
  if (uri === undefined || secretRef === undefined) return [];
  const keys = Object.entries(CREDENTIAL_KEYS).find(([scheme]) => schemeOf(uri) === scheme)?.[1] ?? [];
  return fromSecret(secretRef.name, keys);
}

/** Named keys only: a Secret cannot set NODE_OPTIONS or any other variable by the way. */
function fromSecret(secret: string, keys: readonly string[]): V1EnvVar[] {
  const variables: Readonly<Record<string, string>> = CREDENTIAL_VARIABLES;
  return keys.map((key) => ({
    name: variables[key] ?? key,
    valueFrom: { secretKeyRef: { name: secret, key, optional: true } },
  }));
}

function passedOn({ name, value, valueFrom }: { name: string; value?: string; valueFrom?: object }): V1EnvVar {
  return { name, ...(value !== undefined && { value }), ...(valueFrom !== undefined && { valueFrom }) };
}

function canonicalResources({ requests, limits }: Resources): V1ResourceRequirements {
  const canonical = (quantities: Record<string, string | number>): Record<string, string> =>
    Object.fromEntries(Object.entries(quantities).map(([name, value]) => [name, canonicalQuantity(value)]));
  return { ...(requests && { requests: canonical(requests) }), ...(limits && { limits: canonical(limits) }) };
}

/** The volume that holds the model, of sources that are mounted. */
function volumeOf(source: Source | undefined): { volume: V1Volume; mountPath: string } | undefined {
  const [, scheme, name = ""] = /^(configmap|pvc):\/\/([^/]+)/.exec(source?.uri ?? "") ?? [];
  if (scheme === "configmap")
    // Optional: a pod whose ConfigMap is missing would wait without a word; this way the runtime says ArtifactNotFound.
    return { volume: { name: "model", configMap: { name, optional: true } }, mountPath: `${CONFIG_MAP_ROOT}/${name}` };
  if (scheme === "pvc")
    return {
      volume: { name: "model", persistentVolumeClaim: { claimName: name, readOnly: true } },
      mountPath: `${CLAIM_ROOT}/${name}`,
    };
  return undefined;
}
