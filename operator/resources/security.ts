import type { V1PodSecurityContext, V1SecurityContext, V1TopologySpreadConstraint } from "@kubernetes/client-node";

/** The user that both images run as. */
const NON_ROOT = 65532;

/** Assigned: the cluster gives each namespace users of its own and refuses others, as OpenShift's restricted-v2 does. */
export type PodUsers = "Fixed" | "Assigned";

/** What the "restricted" Pod Security Standard asks for. */
export function podSecurity(users: PodUsers): V1PodSecurityContext {
  return {
    runAsNonRoot: true,
    ...(users === "Fixed" && { runAsUser: NON_ROOT, runAsGroup: NON_ROOT, fsGroup: NON_ROOT }),
    seccompProfile: { type: "RuntimeDefault" },
  };
}

export function containerSecurity(): V1SecurityContext {
  return { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } };
}

/** Over zones and nodes as far as there are any: a lone node still gets all pods. */
export function spreadEvenly(matchLabels: Record<string, string>): V1TopologySpreadConstraint[] {
  return ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels },
  }));
}
