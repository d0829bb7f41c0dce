import { ANNOTATIONS } from "../api/names.ts";
import { canonicalJson } from "../plan/revision.ts";

/** A Deployment, as far as it matters here. */
export interface Templated {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly spec: { readonly template: PodTemplate };
}

export interface PodTemplate {
  readonly metadata?: { readonly annotations?: Record<string, string> };
  readonly spec: {
    readonly containers: readonly { readonly name: string; readonly image?: string }[];
    readonly securityContext?: { readonly runAsUser?: number };
  };
}

/**
 * The Deployment with the pod template that it was made with. What users choose never changes it, since another choice is
 * another revision; so a template that differs comes from another version of the operator, whose upgrade must roll
 * nothing. Another image, another bootstrap config of a router, or a user where there was none or the other way round, is a
 * template that was meant to change.
 */
export function withPinnedTemplate<T extends Templated>(desired: T, observed: Templated | undefined): T {
  const { metadata, spec } = desired;
  const pinned = pinnedTemplate(observed);
  const template = pinned !== undefined && runsTheSame(pinned, spec.template) ? pinned : spec.template;
  const annotations = { ...metadata.annotations, [ANNOTATIONS.template]: canonicalJson(template) };
  return { ...desired, metadata: { ...metadata, annotations }, spec: { ...spec, template } };
}

/** The copy in the annotation: the observed template itself has the API server's defaults in it, and what drifted. */
export function pinnedTemplate(observed: Templated | undefined): PodTemplate | undefined {
  const text = observed?.metadata.annotations?.[ANNOTATIONS.template];
  if (text === undefined) return undefined;
  try {
    const copy: unknown = JSON.parse(text);
    return isTemplate(copy) ? copy : undefined;
  } catch {
    return undefined; // somebody edited it: as good as none
  }
}

function isTemplate(copy: unknown): copy is PodTemplate {
  const { spec } = (copy ?? {}) as Partial<PodTemplate>;
  return Array.isArray(spec?.containers) && spec.containers.length > 0;
}

function runsTheSame(pinned: PodTemplate, desired: PodTemplate): boolean {
  const [main] = desired.spec.containers;
  const before = pinned.spec.containers.find(({ name }) => name === main?.name);
  return (
    main !== undefined &&
    before?.image === main.image &&
    bootstrapOf(pinned) === bootstrapOf(desired) &&
    hasUser(pinned) === hasUser(desired)
  );
}

/** Whether the template names the user that its pods run as, or leaves it to the cluster (`--openshift`). */
function hasUser({ spec }: PodTemplate): boolean {
  return spec.securityContext?.runAsUser !== undefined;
}

function bootstrapOf({ metadata }: PodTemplate): string | undefined {
  return metadata?.annotations?.[ANNOTATIONS.bootstrap];
}
