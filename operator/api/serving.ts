import { z } from "zod";
import { RUNTIME_ENV } from "../../runtime/contract.ts";
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
    env: listMap(environmentVariable, "name", { max: 64 })
      .exactOptional()
      .describe("Further environment of the runtime's container."),
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
