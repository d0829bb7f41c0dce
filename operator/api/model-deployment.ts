import { z } from "zod";
import { int, listMap, rules } from "./fields.ts";
import { image } from "./image.ts";
import { serving } from "./serving.ts";
import { source } from "./source.ts";

export const GROUP = "serving.slipway.dev";
export const VERSION = "v1alpha1";
export const KIND = "ModelDeployment";
export const PLURAL = "modeldeployments";

/** With a version's name (14), a hash (8) and two hyphens, a child's name still fits a DNS label (63). */
export const MAX_NAME_LENGTH = 38;

/** A DNS label that starts with a letter: a Service bears the object's name. */
export const NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$";

/** What serves: the runtime with a model, or somebody's own image with whatever is in it. */
export const sourceOrImage = "set either source or image";

const version = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(14)
      .meta(
        rules({
          rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
          message: "must be a DNS label: lower-case letters, digits and hyphens",
          messageExpression:
            "'must be a DNS label: lower-case letters, digits and hyphens; try \"' + (self.matches('^[0-9]') ? 'v' : '') + self.lowerAscii().replace('.', '-').replace('_', '-') + '\"'",
        }),
      )
      .describe("Name of the version, unique in this object; answers carry it as model_variant."),
    weight: int(0, 100)
      .exactOptional()
      .describe("Percent of the traffic. All weights sum to 100; omitted when there is one version."),
    source: source.exactOptional(),
    image: image.exactOptional(),
    serving: serving.exactOptional().describe("What differs from spec.serving for this version."),
  })
  .meta(rules({ rule: "has(self.source) != has(self.image)", message: sourceOrImage }));

const traffic = z.strictObject({
  sticky: z
    .strictObject({
      header: z
        .string()
        .min(1)
        .max(128)
        .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/)
        .describe("Request header that names the user, such as x-user-id."),
    })
    .exactOptional()
    .describe("The same user always gets the same version. Requests without the header are split at random."),
  service: z
    .strictObject({
      type: z
        .enum(["ClusterIP", "NodePort", "LoadBalancer"])
        .exactOptional()
        .describe("Type of the front Service; ClusterIP when omitted."),
      port: int(1, 65_535).exactOptional().describe("Port of the front Service; 80 when omitted."),
      annotations: z
        .record(z.string(), z.string())
        .exactOptional()
        .describe("Annotations of the front Service, such as a cloud load balancer's."),
    })
    .exactOptional()
    .describe("The Service that clients use; it bears the object's name."),
});

const rollout = z.strictObject({
  checks: z
    .strictObject({
      signature: z
        .enum(["Require", "Ignore"])
        .exactOptional()
        .describe(
          "Require, as when omitted: a revision that needs other features than what serves now takes no traffic, which SignatureMismatch says. Ignore: it does, because clients send what it needs.",
        ),
    })
    .exactOptional()
    .describe("What must hold before a new revision takes traffic."),
});

export const spec = z
  .strictObject({
    versions: listMap(version, "name", { min: 1, max: 8 })
      .meta(
        rules(
          {
            rule: "self.size() == 1 || self.all(v, has(v.weight))",
            message: "each version needs a weight when there are several",
            reason: "FieldValueRequired",
          },
          {
            rule: "!self.exists(v, has(v.weight)) || self.map(v, has(v.weight) ? v.weight : 0).sum() == 100",
            message: "the weights must sum to 100",
          },
        ),
      )
      .exactOptional()
      .describe("The model's versions and the share of the traffic that each gets."),
    source: source.exactOptional().describe("Short form of a single version named v1."),
    serving: serving.exactOptional().describe("How each version is served."),
    traffic: traffic.exactOptional().describe("How requests reach the versions."),
    rollout: rollout.exactOptional().describe("How a new revision gets its share."),
    suspend: z
      .boolean()
      .exactOptional()
      .describe("While true the operator changes nothing that belongs to this object; what serves goes on serving."),
  })
  .meta(
    rules(
      {
        rule: "has(self.versions) != has(self.source)",
        message: "set either versions or source",
      },
      {
        rule: `!has(self.serving) || !has(self.serving.autoscaling) || !has(self.serving.autoscaling.minReplicas) || !has(self.versions) || self.versions.all(v, !has(v.serving) || !has(v.serving.autoscaling) || has(v.serving.autoscaling.minReplicas) || v.serving.autoscaling.maxReplicas >= self.serving.autoscaling.minReplicas)`,
        message: "a version's maxReplicas must not be less than the minReplicas that it takes from spec.serving",
      },
    ),
  )
  .describe("What should be served.");

export type ModelDeploymentSpec = z.infer<typeof spec>;
export type VersionSpec = z.infer<typeof version>;
