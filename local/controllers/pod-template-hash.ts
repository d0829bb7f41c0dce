import { createHash } from "node:crypto";
import { isObject } from "../api-server/objects.ts";
import type { PodTemplate } from "./objects.ts";

export const templateHashLabel = "pod-template-hash";

/** No vowels and no characters that are mistaken for others, as in generated names. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";
const length = 10;

/** A short name for a template, the same whenever the template is. */
export function podTemplateHash(template: PodTemplate): string {
  const digest = createHash("sha256").update(canonical(template)).digest();
  return Array.from(digest.subarray(0, length), (byte) => alphabet[byte % alphabet.length]).join("");
}

/** The template as its author wrote it, without the label that tells its ReplicaSet's pods apart. */
export function withoutHash(template: PodTemplate): PodTemplate {
  const { [templateHashLabel]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

export function withHash(template: PodTemplate, hash: string): PodTemplate {
  return {
    ...template,
    metadata: { ...template.metadata, labels: { ...template.metadata?.labels, [templateHashLabel]: hash } },
  };
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  const fields = Object.keys(value)
    .sort()
    .filter((key) => value[key] !== undefined);
  return `{${fields.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}
