import { z } from "zod";
import { int, quantity } from "./fields.ts";
import { affinity } from "./pod-affinity.ts";
import { labelSelector, named, optional, patchable, strings, text } from "./pod-fields.ts";
import { volume } from "./pod-volumes.ts";

/** What a pod of ours needs to end without losing a request: the preStop sleep, the drain, and the longest request. */
export const LEAST_GRACE_SECONDS = 80;

const quantities = z.record(z.string(), quantity);

const keyRef = patchable({ name: named, key: text, optional: z.boolean() });
const environmentVariable = patchable({
  name: named,
  value: z.string().max(8_192),
  valueFrom: patchable({
    secretKeyRef: keyRef,
    configMapKeyRef: keyRef,
    fieldRef: patchable({ apiVersion: text, fieldPath: text }),
    resourceFieldRef: patchable({ containerName: text, resource: text, divisor: quantity }),
  }),
});
const reference = patchable({ name: named, optional: z.boolean() });
const environmentSource = patchable({ prefix: text, configMapRef: reference, secretRef: reference });

const resources = patchable({ requests: quantities, limits: quantities });

const seLinux = patchable({ level: text, role: text, type: text, user: text });
const profile = patchable({ type: text, localhostProfile: text });
const windows = patchable({ gmsaCredentialSpecName: text, runAsUserName: text, hostProcess: z.boolean() });
const id = int(0, 2 ** 31 - 1);
const identity = {
  runAsUser: id,
  runAsGroup: id,
  runAsNonRoot: z.boolean(),
  seLinuxOptions: seLinux,
  seccompProfile: profile,
  appArmorProfile: profile,
  windowsOptions: windows,
};
const containerSecurity = patchable({
  ...identity,
  allowPrivilegeEscalation: z.boolean(),
  privileged: z.boolean(),
  procMount: text,
  readOnlyRootFilesystem: z.boolean(),
  capabilities: patchable({ add: strings, drop: strings }),
});
const podSecurity = patchable({
  ...identity,
  fsGroup: id,
  fsGroupChangePolicy: z.enum(["OnRootMismatch", "Always"]),
  supplementalGroups: z.array(id).max(64),
  sysctls: z.array(patchable({ name: named, value: text })).max(32),
});

const port = z.union([int(1, 65_535), z.string().max(15)]);
const action = {
  exec: patchable({ command: strings }),
  httpGet: patchable({
    path: text,
    port,
    host: text,
    scheme: z.enum(["HTTP", "HTTPS"]),
    httpHeaders: z.array(patchable({ name: named, value: text })).max(32),
  }),
  tcpSocket: patchable({ host: text, port }),
};
const probe = patchable({
  ...action,
  grpc: patchable({ port: int(1, 65_535), service: text }),
  initialDelaySeconds: int(0, 3_600),
  periodSeconds: int(1, 3_600),
  timeoutSeconds: int(1, 3_600),
  successThreshold: int(1, 10_000),
  failureThreshold: int(1, 10_000),
  terminationGracePeriodSeconds: int(1, 86_400),
}).meta({ passThrough: true });
const handler = patchable({ ...action, sleep: patchable({ seconds: int(0, 86_400) }) });
const lifecycle = patchable({ postStart: handler, preStop: handler }).meta({ passThrough: true });

const container = patchable({
  name: named,
  image: z.string().min(1).max(512),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]),
  command: strings,
  args: strings,
  workingDir: text,
  env: z.array(environmentVariable).max(128),
  envFrom: z.array(environmentSource).max(32),
  ports: z
    .array(patchable({ name: text, containerPort: int(1, 65_535), protocol: z.enum(["TCP", "UDP", "SCTP"]) }))
    .max(32),
  resources,
  volumeMounts: z
    .array(
      patchable({
        name: named,
        mountPath: text,
        subPath: text,
        subPathExpr: text,
        readOnly: z.boolean(),
        recursiveReadOnly: text,
        mountPropagation: text,
      }),
    )
    .max(64),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle,
  securityContext: containerSecurity,
  restartPolicy: z.enum(["Always"]),
  stdin: z.boolean(),
  tty: z.boolean(),
});

const toleration = optional({
  key: text,
  operator: text,
  value: text,
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
  tolerationSeconds: int(0, 2 ** 31 - 1),
});

const topologySpreadConstraint = patchable({
  topologyKey: text,
  maxSkew: int(1, 10_000),
  whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]),
  minDomains: int(1, 10_000),
  nodeAffinityPolicy: z.enum(["Honor", "Ignore"]),
  nodeTaintsPolicy: z.enum(["Honor", "Ignore"]),
  matchLabelKeys: strings,
  labelSelector,
});

const annotations = z.record(z.string(), z.string());

/**
 * Fields of a Kubernetes PodTemplateSpec that users may lay over the template that we build, as a strategic merge patch.
 * Everything is optional, as in a patch; what else there is in Kubernetes would take the pod out of our hands.
 */
export const podTemplate = z
  .strictObject({
    metadata: optional({
      labels: annotations.describe("Further labels of the pods."),
      annotations: annotations.describe("Further annotations of the pods."),
    })
      .exactOptional()
      .describe("Labels and annotations of pods."),
    spec: optional({
      containers: z
        .array(container)
        .max(16)
        .describe("By name: `runtime` serves the model; any other is one more container beside it."),
      initContainers: z
        .array(container)
        .max(16)
        .describe("Run before the model's; with restartPolicy Always, sidecars that start first."),
      volumes: z.array(volume).max(64).describe("By name; `cache` and `tmp` are there already."),
      nodeSelector: annotations.describe("Labels of the nodes that may run the pods."),
      tolerations: z.array(toleration).max(64).describe("Taints that the pods tolerate."),
      affinity,
      topologySpreadConstraints: z
        .array(topologySpreadConstraint)
        .max(16)
        .describe("By topologyKey; over zones and nodes as far as there are any when omitted."),
      priorityClassName: text.describe("PriorityClass of the pods."),
      runtimeClassName: text.describe("RuntimeClass of the pods."),
      schedulerName: text.describe("Scheduler of the pods."),
      serviceAccountName: named.describe("ServiceAccount of the pods."),
      automountServiceAccountToken: z
        .boolean()
        .describe("Whether pods get their ServiceAccount's token; false when omitted."),
      imagePullSecrets: z
        .array(patchable({ name: named }))
        .max(16)
        .describe("Secrets to pull images with."),
      securityContext: podSecurity.describe("Merged with what the restricted Pod Security Standard asks for."),
      terminationGracePeriodSeconds: int(LEAST_GRACE_SECONDS, 86_400).describe(
        `Seconds that a pod gets to end; ${LEAST_GRACE_SECONDS} when omitted.`,
      ),
      dnsPolicy: text.describe("DNS policy of the pods."),
      dnsConfig: patchable({
        nameservers: strings,
        searches: strings,
        options: z.array(optional({ name: text, value: text })).max(32),
      }).describe("DNS settings of the pods."),
      hostAliases: z
        .array(patchable({ ip: text, hostnames: strings }))
        .max(64)
        .describe("Further lines of the pods' /etc/hosts."),
      shareProcessNamespace: z.boolean().describe("Whether the containers of a pod see each other's processes."),
    })
      .exactOptional()
      .describe("The pods, as in `kubectl explain pod.spec`."),
  })
  .describe(
    "A strategic merge patch of the pods' template, with Kubernetes' merge keys and `$patch: delete` or `replace`; a version's is laid over spec.serving's. What makes a pod part of this object (its labels, ports, probes, MODEL_* variables) cannot be changed.",
  );

export type PodTemplate = z.infer<typeof podTemplate>;
