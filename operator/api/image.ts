import { z } from "zod";
import { rules } from "./fields.ts";

const PATH = "[a-z0-9]+(([.]|_{1,2}|-+)[a-z0-9]+)*";
const TAG = ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const DIGEST = "@sha256:[0-9a-f]{64}";
/** In RE2's syntax, which is JavaScript's too. */
const PATTERN = `^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/)?${PATH}(/${PATH})*(${TAG}|${DIGEST}|${TAG}${DIGEST})$`;
const message = "must be an image with a tag or a digest: REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST";

export const image = z
  .string()
  .min(1)
  .max(512)
  .meta(rules({ rule: `self.matches('${PATTERN}')`, message }))
  .describe(
    "A container image of your own that fulfils docs/runtime-contract.md, instead of source. With a tag or a digest: without one a new pod may run something else than its neighbours.",
  );

/** What the CRD's rule on an image says, again. */
export function imageProblems(field: string, given: string): { field: string; message: string }[] {
  return new RegExp(PATTERN).test(given) ? [] : [{ field, message }];
}
