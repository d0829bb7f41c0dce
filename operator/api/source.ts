import { z } from "zod";
import { CREDENTIAL_KEYS, MLFLOW_CREDENTIAL_KEYS } from "../../runtime/contract.ts";
import { rules } from "./fields.ts";

/** Where a model may come from, and what the rest of its address looks like. */
const SCHEMES = ["file", "https", "s3", "gs", "az", "hf", "oci", "pvc", "configmap"] as const;
/** Addresses in an MLflow server; they have one slash, as MLflow writes them. */
const MLFLOW_SCHEMES = ["models", "runs"] as const;
const withCredentials = Object.keys(CREDENTIAL_KEYS);

/** What the address of a scheme must match, beyond having one; in RE2's syntax, which is JavaScript's too. */
const ADDRESSES: readonly {
  readonly scheme: (typeof SCHEMES | typeof MLFLOW_SCHEMES)[number];
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
  {
    scheme: "models",
    pattern: "^models:/([^/@:]+(/[0-9]+|@[A-Za-z0-9_-]+)|m-[0-9a-f]{32})$",
    message: "expected models:/NAME/VERSION or models:/NAME@ALIAS",
  },
  {
    scheme: "runs",
    pattern: "^runs:/[0-9a-f]{32}/[^/].*$",
    message: "expected runs:/RUN_ID/PATH",
  },
];
const CREDENTIALS_IN_ADDRESS = "^(https|s3|gs|az)://[^/]*@";
const KNOWN = `^((${SCHEMES.join("|")})://|(${MLFLOW_SCHEMES.join("|")}):/).+`;
const IN_MLFLOW = `^(${MLFLOW_SCHEMES.join("|")}):/`;
/** An origin and at most a path: no user, query or fragment. */
const TRACKING_URI = "^https?://[A-Za-z0-9.:\\[\\]-]+(/[A-Za-z0-9._~/-]*)?$";

const schemesMessage = `must be one of ${[...SCHEMES.map((scheme) => `${scheme}://…`), ...MLFLOW_SCHEMES.map((scheme) => `${scheme}:/…`)].join(", ")}`;
const trackingMessage = "expected the server's address: https://HOST, with a port and a path if need be";
const mlflowMessage = "models:/ and runs:/ need mlflow.trackingUri, other sources take no mlflow";
const credentialsMessage = "credentials do not belong into the uri; put them into a Secret and name it in secretRef";
const secretMessage = `secretRef is used with ${withCredentials.join(", ")} only`;

const keysOf = Object.entries(CREDENTIAL_KEYS).map(([scheme, keys]) => `for ${scheme}:// ${keys.join(", ")}`);
const secretRef = z
  .strictObject({
    name: z.string().min(1).max(253).describe("Name of a Secret in the object's own namespace."),
  })
  .describe(`Secret with the credentials of the source. Keys that are passed on: ${keysOf.join("; ")}.`);

const mlflow = z
  .strictObject({
    trackingUri: z
      .string()
      .max(1024)
      .regex(new RegExp(TRACKING_URI), trackingMessage)
      .describe("Address of the MLflow server, such as https://mlflow.example.com or http://mlflow.mlops:5000."),
    secretRef: z
      .strictObject({
        name: z.string().min(1).max(253).describe("Name of a Secret in the object's own namespace."),
      })
      .exactOptional()
      .describe(
        `Secret with credentials for the MLflow server. Keys that are used: ${MLFLOW_CREDENTIAL_KEYS.join(", ")}.`,
      ),
  })
  .describe("The MLflow server of a models:/ or runs:/ source.");

export const source = z
  .strictObject({
    uri: z
      .string()
      .min(1)
      .max(2048)
      .meta(
        rules(
          { rule: `self.matches('${KNOWN}')`, message: schemesMessage },
          ...ADDRESSES.map(({ scheme, pattern, message }) => ({
            rule: `!self.startsWith('${scheme}:/') || self.matches('${pattern}')`,
            message,
          })),
          { rule: `!self.matches('${CREDENTIALS_IN_ADDRESS}')`, message: credentialsMessage },
        ),
      )
      .describe(
        "Where the model is: s3://bucket/prefix/, gs://bucket/prefix/, az://container/prefix/, https://host/model.onnx, hf://org/repo, oci://registry/repository:tag, pvc://claim/path, configmap://name, file:///path inside the image or a mount, or in an MLflow server models:/Name/3, models:/Name@alias (followed when it moves) or runs:/id/path. A folder holds model.onnx and, optionally, preprocessor.onnx, metadata.json and golden.json.",
      ),
    mlflow: mlflow.exactOptional(),
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
    rules(
      {
        rule: `!has(self.secretRef) || self.uri.matches('^(${withCredentials.join("|")}):/')`,
        message: secretMessage,
        fieldPath: ".secretRef",
      },
      { rule: `has(self.mlflow) == self.uri.matches('${IN_MLFLOW}')`, message: mlflowMessage, fieldPath: ".mlflow" },
    ),
  )
  .describe("Where a version's model comes from.");

export type Source = z.infer<typeof source>;

/** `s3` of `s3://…`, `models` of `models:/…`. */
export function schemeOf(uri: string): string {
  return /^([a-z0-9]+):\/./.exec(uri)?.[1] ?? "";
}

/** What the CRD's rules on a source say, again. */
export function sourceProblems(field: string, given: Source): { field: string; message: string }[] {
  const { uri, secretRef, mlflow } = given;
  const problems: { field: string; message: string }[] = [];
  const scheme = schemeOf(uri);
  if (!new RegExp(KNOWN).test(uri)) problems.push({ field: `${field}.uri`, message: schemesMessage });
  for (const { scheme: of, pattern, message } of ADDRESSES)
    if (scheme === of && !new RegExp(pattern).test(uri)) problems.push({ field: `${field}.uri`, message });
  if (new RegExp(CREDENTIALS_IN_ADDRESS).test(uri))
    problems.push({ field: `${field}.uri`, message: credentialsMessage });
  if (secretRef !== undefined && !withCredentials.includes(scheme))
    problems.push({ field: `${field}.secretRef`, message: secretMessage });
  if ((mlflow !== undefined) !== new RegExp(IN_MLFLOW).test(uri))
    problems.push({ field: `${field}.mlflow`, message: mlflowMessage });
  return problems;
}
