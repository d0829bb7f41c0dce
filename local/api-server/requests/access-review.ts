import { noSuchResource } from "../api-error.ts";
import { objectAt, type JsonObject } from "../objects.ts";

/** Everyone may do everything here: the server listens on loopback, for its own user. */
export function answerReview(plural: string, body: unknown): JsonObject {
  const spec = objectAt(body, "spec");
  const apiVersion = "authorization.k8s.io/v1";
  switch (plural) {
    case "selfsubjectaccessreviews":
      return {
        kind: "SelfSubjectAccessReview",
        apiVersion,
        metadata: {},
        spec,
        status: { allowed: true, reason: "no authorization here" },
      };
    case "selfsubjectrulesreviews": {
      const resourceRules = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }];
      const nonResourceRules = [{ verbs: ["*"], nonResourceURLs: ["*"] }];
      return {
        kind: "SelfSubjectRulesReview",
        apiVersion,
        metadata: {},
        spec,
        status: { resourceRules, nonResourceRules, incomplete: false },
      };
    }
    default:
      throw noSuchResource();
  }
}
