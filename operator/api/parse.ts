import { z } from "zod";
import { autoscalingProblems } from "./autoscaling.ts";
import { imageProblems } from "./image.ts";
import { MAX_NAME_LENGTH, NAME_PATTERN, sourceOrImage, spec } from "./model-deployment.ts";
import type { ModelDeploymentSpec, VersionSpec } from "./model-deployment.ts";
import { podTemplateProblems } from "./pod-template-rules.ts";
import { RESERVED_VARIABLES, predictionLogProblems } from "./serving.ts";
import type { EnvironmentVariable } from "./serving.ts";
import { sourceProblems } from "./source.ts";

const valid = Symbol("valid");

/** A ModelDeployment that passed every rule; the only form that planning and builders accept. */
export interface ValidModelDeployment {
  readonly [valid]: true;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: ModelDeploymentSpec;
  /** `spec.versions`, or the short form written out; weights as given, 100 for a single version. */
  readonly versions: readonly ValidVersion[];
}

export type ValidVersion = VersionSpec & { readonly weight: number };

export interface Problem {
  /** Path of the field, such as `spec.versions[1].weight`. */
  readonly field: string;
  readonly message: string;
}

export type Parsed =
  | { readonly ok: true; readonly value: ValidModelDeployment }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const envelope = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string(), uid: z.string(), generation: z.number().default(1) }),
  spec,
});

/**
 * The second door after the API server's: says again what the CRD's schema and CEL rules say, for objects that were
 * stored before a rule existed or under a CRD that someone changed.
 */
export function parseModelDeployment(object: unknown): Parsed {
  const parsed = envelope.safeParse(object);
  if (!parsed.success)
    return {
      ok: false,
      problems: parsed.error.issues.map(({ path, message }) => ({ field: fieldPath(path), message })),
    };
  const { apiVersion, kind, metadata, spec } = parsed.data;
  const problems = [...nameProblems(metadata.name), ...specProblems(spec)];
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    value: { [valid]: true, apiVersion, kind, ...metadata, spec, versions: versionsOf(spec) },
  };
}

function versionsOf(given: ModelDeploymentSpec): ValidVersion[] {
  if (given.source !== undefined) return [{ name: "v1", weight: 100, source: given.source }];
  const versions = given.versions ?? [];
  return versions.map((version) => ({ ...version, weight: version.weight ?? 100 }));
}

function nameProblems(name: string): Problem[] {
  if (name.length <= MAX_NAME_LENGTH && new RegExp(NAME_PATTERN).test(name)) return [];
  return [
    {
      field: "metadata.name",
      message: `must be a DNS label that starts with a letter, of at most ${MAX_NAME_LENGTH} characters`,
    },
  ];
}

function specProblems(given: ModelDeploymentSpec): Problem[] {
  const problems: Problem[] = [];
  const refuse = (field: string, message: string): number => problems.push({ field, message });
  const { versions = [], source, serving } = given;
  if ((given.versions === undefined) === (source === undefined)) refuse("spec", "set either versions or source");
  if (versions.length > 1 && versions.some(({ weight }) => weight === undefined))
    refuse("spec.versions", "each version needs a weight when there are several");
  const sum = versions.reduce((total, { weight = 0 }) => total + weight, 0);
  if (versions.some(({ weight }) => weight !== undefined) && sum !== 100)
    refuse("spec.versions", `the weights must sum to 100, they sum to ${sum}`);
  if (namesRepeat(versions)) refuse("spec.versions", "each name may stand once");
  const { minReplicas = 1 } = serving?.autoscaling ?? {};
  const tooSmall = versions
    .flatMap((version) => version.serving?.autoscaling ?? [])
    .some((own) => own.minReplicas === undefined && own.maxReplicas < minReplicas);
  if (tooSmall)
    refuse("spec", "a version's maxReplicas must not be less than the minReplicas that it takes from spec.serving");
  for (const [index, version] of versions.entries()) {
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(version.name))
      refuse(`spec.versions[${index}].name`, "must be a DNS label: lower-case letters, digits and hyphens");
    problems.push(...servingProblems(`spec.versions[${index}].serving`, version.serving));
    if ((version.source === undefined) === (version.image === undefined))
      refuse(`spec.versions[${index}]`, sourceOrImage);
    if (version.source !== undefined)
      problems.push(...sourceProblems(`spec.versions[${index}].source`, version.source));
    if (version.image !== undefined) problems.push(...imageProblems(`spec.versions[${index}].image`, version.image));
  }
  problems.push(...servingProblems("spec.serving", serving));
  if (source !== undefined) problems.push(...sourceProblems("spec.source", source));
  return problems;
}

function servingProblems(field: string, serving: ModelDeploymentSpec["serving"]): Problem[] {
  if (serving === undefined) return [];
  const problems: Problem[] = [];
  const { replicas, autoscaling, predictionLog, env = [], podTemplate } = serving;
  if (replicas !== undefined && autoscaling !== undefined)
    problems.push({ field: `${field}.autoscaling`, message: "set replicas or autoscaling, not both" });
  if (autoscaling !== undefined) problems.push(...autoscalingProblems(`${field}.autoscaling`, autoscaling));
  if (predictionLog !== undefined) problems.push(...predictionLogProblems(`${field}.predictionLog`, predictionLog));
  if (namesRepeat(env)) problems.push({ field: `${field}.env`, message: "each name may stand once" });
  return [
    ...problems,
    ...env.flatMap((variable, index) => variableProblems(`${field}.env[${index}]`, variable)),
    ...podTemplateProblems(`${field}.podTemplate`, podTemplate),
  ];
}

function variableProblems(field: string, { name, value, valueFrom }: EnvironmentVariable): Problem[] {
  const problems: Problem[] = [];
  if (RESERVED_VARIABLES.some((reserved) => reserved === name))
    problems.push({ field: `${field}.name`, message: "is set by the operator; choose another name" });
  if (value !== undefined && valueFrom !== undefined)
    problems.push({ field, message: "set value or valueFrom, not both" });
  if (valueFrom !== undefined && Object.keys(valueFrom).length !== 1)
    problems.push({
      field: `${field}.valueFrom`,
      message: "set exactly one of secretKeyRef, configMapKeyRef, fieldRef",
    });
  return problems;
}

function namesRepeat(items: readonly { readonly name: string }[]): boolean {
  return new Set(items.map(({ name }) => name)).size !== items.length;
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}
