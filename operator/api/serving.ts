import { z } from "zod";
import { RUNTIME_ENV, SERVING_ENV } from "../../runtime/contract.ts";
import { autoscaling } from "./autoscaling.ts";
import { int, listMap, quantity, rules } from "./fields.ts";
import { podTemplate } from "./pod-template.ts";

const quantities = z.record(z.string(), quantity);

const resources = z
  .strictObject({
    requests: quantities.exactOptional().describe("What the scheduler sets aside for each pod."),
    limits: quantities.exactOptional().describe("What each pod may use at most."),
  })
  .describe("CPU, memory and extended resources of each pod, as in a container's `resources`.");

const probe = {
  initialDelaySeconds: int(0, 3_600).exactOptional().describe("Seconds from the container's start to the first probe."),
  periodSeconds: int(1, 3_600).exactOptional().describe("Seconds between probes."),
  timeoutSeconds: int(1, 3_600).exactOptional().describe("Seconds after which an unanswered probe has failed."),
  failureThreshold: int(1, 10_000).exactOptional().describe("Failures in a row that count."),
};
const probes = z
  .strictObject({
    ...probe,
    readiness: z.strictObject(probe).exactOptional().describe("Fields that differ for the readiness probe."),
    liveness: z.strictObject(probe).exactOptional().describe("Fields that differ for the liveness probe."),
    startup: z
      .strictObject(probe)
      .exactOptional()
      .describe("Fields of the startup probe, which by default gives a model an hour to load."),
  })
  .describe("Probes of GET /health. Fields at the top count for readiness and liveness alike.");

const keyRef = (what: string) =>
  z.strictObject({
    name: z.string().min(1).max(253).describe(`Name of the ${what}.`),
    key: z.string().min(1).max(253).describe(`Key in the ${what}.`),
    optional: z.boolean().exactOptional().describe("Whether the pod starts without it."),
  });

/** The operator sets these; a variable of the user by such a name would be set twice. */
export const RESERVED_VARIABLES = Object.values(RUNTIME_ENV);

const environmentVariable = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .max(128)
      .meta(
        rules({
          rule: `!(self in [${RESERVED_VARIABLES.map((name) => `'${name}'`).join(", ")}])`,
          message: "is set by the operator; choose another name",
        }),
      )
      .describe("Name of the variable."),
    value: z.string().max(8_192).exactOptional().describe("Its value."),
    valueFrom: z
      .strictObject({
        secretKeyRef: keyRef("Secret").exactOptional().describe("A key of a Secret in the object's namespace."),
        configMapKeyRef: keyRef("ConfigMap")
          .exactOptional()
          .describe("A key of a ConfigMap in the object's namespace."),
        fieldRef: z
          .strictObject({ fieldPath: z.string().min(1).max(253).describe("Path of the field, such as status.podIP.") })
          .exactOptional()
          .describe("A field of the pod."),
      })
      .meta(
        rules({
          rule: "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)].filter(given, given).size() == 1",
          message: "set exactly one of secretKeyRef, configMapKeyRef, fieldRef",
        }),
      )
      .exactOptional()
      .describe("Where the value comes from."),
  })
  .meta(
    rules({
      rule: "!(has(self.value) && has(self.valueFrom))",
      message: "set value or valueFrom, not both",
    }),
  );

/** Milliseconds or seconds, at most 10 s, so that a request's own time is never used up by waiting for company. */
const shortDuration = z.string().regex(/^([0-9]{1,4}ms|([0-9]|10)s)$/);

const batching = z
  .strictObject({
    maxSize: int(1, 65_536).exactOptional().describe("Most rows in one run of the model; 64 when omitted."),
    maxDelay: shortDuration
      .exactOptional()
      .describe(
        "How long a request waits for others to share its run, such as 5ms, at most 10s. 0ms when omitted, which is best unless a row costs as much as many: requests that arrive together share a run anyway.",
      ),
    maxQueue: int(1, 1_000_000)
      .exactOptional()
      .describe("Requests in flight in one pod; 1024 when omitted. Further ones are answered 503."),
  })
  .describe("How requests share runs of the model.");

const SINK_PATTERN = "^(stdout|file:///[^?#]*[^/?#]|https?://[^/?#@]+([/?][^#]*)?)$";
const sinkMessage =
  "must be stdout, file:///path/to/file, http://… or https://…; credentials for a receiver belong into a Secret named in secretRef";
const LINK_LOCAL_PATTERN = "^https?://(169[.]254[.]|[[][Ff][Ee][89ABab])";
const linkLocalMessage = "must not be a link-local address, where clouds keep credentials";
const sinkSecretMessage = "secretRef is used with https:// and http:// only";

const predictionLog = z
  .strictObject({
    sink: z
      .string()
      .min(1)
      .max(2_048)
      .meta(
        rules(
          { rule: `self.matches('${SINK_PATTERN}')`, message: sinkMessage },
          { rule: `!self.matches('${LINK_LOCAL_PATTERN}')`, message: linkLocalMessage },
        ),
      )
      .describe(
        "Where the lines go: stdout, file:///path in the container (/tmp is writable), or http(s)://… of a receiver of CloudEvents 1.0 in structured mode, such as a Knative broker.",
      ),
    sample: z.number().min(0).max(1).exactOptional().describe("Share of the requests that are logged; 1 when omitted."),
    redact: z
      .array(z.string().min(1).max(253))
      .max(256)
      .exactOptional()
      .meta({ "x-kubernetes-list-type": "set" })
      .describe(
        "Fields, inputs or outputs whose values are not logged. The sticky header's name hides the user; prediction hides all that was answered.",
      ),
    secretRef: z
      .strictObject({
        name: z.string().min(1).max(253).describe("Name of a Secret in the object's own namespace."),
      })
      .exactOptional()
      .describe(
        `Secret whose key ${SERVING_ENV.logAuthorization} is the Authorization header for the receiver, such as "Bearer …".`,
      ),
  })
  .meta(
    rules({
      rule: "!has(self.secretRef) || self.sink.startsWith('http')",
      message: sinkSecretMessage,
      fieldPath: ".secretRef",
    }),
  )
  .describe("A line for each answered request: user, version, inputs, outputs. Nothing is logged without it.");

export type PredictionLog = z.infer<typeof predictionLog>;

/** What the CRD's rules on a prediction log say, again. */
export function predictionLogProblems(
  field: string,
  { sink, redact = [], secretRef }: PredictionLog,
): { field: string; message: string }[] {
  const problems: { field: string; message: string }[] = [];
  if (!new RegExp(SINK_PATTERN).test(sink)) problems.push({ field: `${field}.sink`, message: sinkMessage });
  if (new RegExp(LINK_LOCAL_PATTERN).test(sink)) problems.push({ field: `${field}.sink`, message: linkLocalMessage });
  if (secretRef !== undefined && !sink.startsWith("http"))
    problems.push({ field: `${field}.secretRef`, message: sinkSecretMessage });
  if (new Set(redact).size !== redact.length)
    problems.push({ field: `${field}.redact`, message: "each name may stand once" });
  return problems;
}

export const serving = z
  .strictObject({
    replicas: int(1, 10_000)
      .exactOptional()
      .describe(
        "Pods of each version; 1 when neither this nor autoscaling is set. `kubectl scale` sets it in spec.serving.",
      ),
    autoscaling: autoscaling.exactOptional(),
    resources: resources.exactOptional(),
    probes: probes.exactOptional(),
    batching: batching.exactOptional(),
    predictionLog: predictionLog.exactOptional(),
    env: listMap(environmentVariable, "name", { max: 64 })
      .exactOptional()
      .describe("Further environment of the runtime's container. It goes before batching and predictionLog."),
    podTemplate: podTemplate.exactOptional(),
  })
  .meta(
    rules({
      rule: "!(has(self.replicas) && has(self.autoscaling))",
      message: "set replicas or autoscaling, not both",
      fieldPath: ".autoscaling",
    }),
  );

export type Serving = z.infer<typeof serving>;
export type Resources = z.infer<typeof resources>;
export type Probes = z.infer<typeof probes>;
export type EnvironmentVariable = z.infer<typeof environmentVariable>;
