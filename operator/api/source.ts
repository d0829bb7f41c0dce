import { z } from "zod";
import { CREDENTIAL_KEYS } from "../../runtime/contract.ts";
import { rules } from "./fields.ts";

/** Where a model may come from, and what the rest of its address looks like. */
const SCHEMES = ["file", "https", "s3", "gs", "az", "hf", "oci", "pvc", "configmap"] as const;
const withCredentials = Object.keys(CREDENTIAL_KEYS);

/** What the address of a scheme must match, beyond having one; in RE2's syntax, which is JavaScript's too. */
const ADDRESSES: readonly {
  readonly scheme: (typeof SCHEMES)[number];
  readonly pattern: string;
  readonly message: string;
}[] = [
  {
    scheme: "configmap",
    pattern: "^configmap://[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
    message: "configmap:// is followed by the name of one ConfigMap in the object's namespace, nothing else",
  },
  {
    scheme: "file",
    pattern: "^file:///.",
    message: "file:// needs an absolute path: file:///models/loan",
  },
  {
    scheme: "pvc",
    pattern: "^pvc://[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?(/[^/]+)*/?$",
    message: "pvc:// is followed by the name of a PersistentVolumeClaim in the object's namespace and a path in it",
  },
  {
    scheme: "hf",
    pattern: "^hf://[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(@[A-Za-z0-9_.-]+)?(/.*)?$",
    message: "expected hf://ORG/REPO, with @REVISION or a folder if need be",
  },
  {
    scheme: "oci",
    pattern:
      "^oci://[a-z0-9.-]+(:[0-9]+)?/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$",
    message: "expected oci://REGISTRY/REPOSITORY:TAG or oci://REGISTRY/REPOSITORY@sha256:DIGEST",
  },
];
const CREDENTIALS_IN_ADDRESS = "^(https|s3|gs|az)://[^/]*@";

const schemesMessage = `must be one of ${SCHEMES.map((scheme) => `${scheme}://…`).join(", ")}`;
const credentialsMessage = "credentials do not belong into the uri; put them into a Secret and name it in secretRef";
const secretMessage = `secretRef is used with ${withCredentials.map((scheme) => `${scheme}://`).join(", ")} only`;

const keysOf = Object.entries(CREDENTIAL_KEYS).map(([scheme, keys]) => `for ${scheme}:// ${keys.join(", ")}`);
const secretRef = z
  .strictObject({
    name: z.string().min(1).max(253).describe("Name of a Secret in the object's own namespace."),
  })
  .describe(`Secret with the credentials of the source. Keys that are passed on: ${keysOf.join("; ")}.`);

export const source = z
  .strictObject({
    uri: z
      .string()
      .min(1)
      .max(2048)
      .meta(
        rules(
          { rule: `self.matches('^(${SCHEMES.join("|")})://.+')`, message: schemesMessage },
          ...ADDRESSES.map(({ scheme, pattern, message }) => ({
            rule: `!self.startsWith('${scheme}://') || self.matches('${pattern}')`,
            message,
          })),
          { rule: `!self.matches('${CREDENTIALS_IN_ADDRESS}')`, message: credentialsMessage },
        ),
      )
      .describe(
        "Where the model is: s3://bucket/prefix/, gs://bucket/prefix/, az://container/prefix/, https://host/model.onnx, hf://org/repo, oci://registry/repository:tag, pvc://claim/path, configmap://name, or file:///path inside the image or a mount. A folder holds model.onnx and, optionally, preprocessor.onnx, metadata.json and golden.json.",
      ),
    secretRef: secretRef.exactOptional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .exactOptional()
      .describe(
        "Expected digest (lower-case hex) of the file, or of the folder as docs/runtime-contract.md defines it.",
      ),
  })
  .meta(
    rules({
      rule: `!has(self.secretRef) || ${withCredentials.map((scheme) => `self.uri.startsWith('${scheme}://')`).join(" || ")}`,
      message: secretMessage,
      fieldPath: ".secretRef",
    }),
  )
  .describe("Where a version's model comes from.");

export type Source = z.infer<typeof source>;

/** What the CRD's rules on a source say, again. */
export function sourceProblems(field: string, { uri, secretRef }: Source): { field: string; message: string }[] {
  const problems: { field: string; message: string }[] = [];
  const scheme = /^([a-z0-9]+):\/\/./.exec(uri)?.[1] ?? "";
  if (!SCHEMES.some((known) => known === scheme)) problems.push({ field: `${field}.uri`, message: schemesMessage });
  for (const { scheme: of, pattern, message } of ADDRESSES)
    if (scheme === of && !new RegExp(pattern).test(uri)) problems.push({ field: `${field}.uri`, message });
  if (new RegExp(CREDENTIALS_IN_ADDRESS).test(uri))
    problems.push({ field: `${field}.uri`, message: credentialsMessage });
  if (secretRef !== undefined && !withCredentials.includes(scheme))
    problems.push({ field: `${field}.secretRef`, message: secretMessage });
  return problems;
}
