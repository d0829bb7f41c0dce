import type { V1Container, V1Deployment, V1PodTemplateSpec } from "@kubernetes/client-node";
import { ANNOTATIONS } from "../api/names.ts";
import { canonicalJson } from "../plan/revision.ts";

/**
 * The Deployment with the pod template that it was made with. What users choose never changes it, since another choice is
 * another revision; so a template that differs comes from another version of the operator, whose upgrade must roll
 * nothing. Another image, or another bootstrap config of a router, is a template that was meant to change.
 */
export function withPinnedTemplate(desired: V1Deployment, observed: V1Deployment | undefined): V1Deployment {
  const { metadata, spec } = desired;
  if (spec === undefined) return desired;
  const pinned = pinnedTemplate(observed);
  const template = pinned !== undefined && runsTheSame(pinned, spec.template) ? pinned : spec.template;
  const annotations = { ...metadata?.annotations, [ANNOTATIONS.template]: canonicalJson(template) };
  return { ...desired, metadata: { ...metadata, annotations }, spec: { ...spec, template } };
}

/** The copy in the annotation: the observed template itself has the API server's defaults in it, and what drifted. */
function pinnedTemplate(observed: V1Deployment | undefined): V1PodTemplateSpec | undefined {
  const text = observed?.metadata?.annotations?.[ANNOTATIONS.template];
  if (text === undefined) return undefined;
  try {
    const copy: unknown = JSON.parse(text);
    return isTemplate(copy) ? copy : undefined;
  } catch {
    return undefined; // somebody edited it: as good as none
  }
}

function isTemplate(copy: unknown): copy is V1PodTemplateSpec {
  const { spec } = (copy ?? {}) as V1PodTemplateSpec;
  return Array.isArray(spec?.containers) && spec.containers.length > 0;
}

function runsTheSame(pinned: V1PodTemplateSpec, desired: V1PodTemplateSpec): boolean {
  const [main] = containersOf(desired);
  const before = containersOf(pinned).find(({ name }) => name === main?.name);
  return main !== undefined && before?.image === main.image && bootstrapOf(pinned) === bootstrapOf(desired);
}

function containersOf({ spec }: V1PodTemplateSpec): readonly V1Container[] {
  return spec?.containers ?? [];
}

function bootstrapOf({ metadata }: V1PodTemplateSpec): string | undefined {
  return metadata?.annotations?.[ANNOTATIONS.bootstrap];
}
