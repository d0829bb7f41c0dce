import { z } from "zod";
import { rules } from "./fields.ts";

const SCHEMES = ["file", "https", "s3", "configmap"] as const;

const secretRef = z
  .strictObject({
    name: z.string().min(1).max(253).describe("Name of a Secret in the object's own namespace."),
  })
  .describe(
    "Secret with the credentials of the source. Keys that are passed on: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, S3_FORCE_PATH_STYLE for s3://; HTTP_AUTHORIZATION, or HTTP_USERNAME and HTTP_PASSWORD, for https://.",
  );

export const source = z
  .strictObject({
    uri: z
      .string()
      .min(1)
      .max(2048)
      .meta(
        rules(
          {
            rule: `self.matches('^(${SCHEMES.join("|")})://.+')`,
            message: `must be one of ${SCHEMES.map((scheme) => `${scheme}://…`).join(", ")}`,
          },
          {
            rule: "!self.startsWith('configmap://') || self.matches('^configmap://[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$')",
            message: "configmap:// is followed by the name of one ConfigMap in the object's namespace, nothing else",
          },
          {
            rule: "!self.startsWith('file://') || self.matches('^file:///.')",
            message: "file:// needs an absolute path: file:///models/loan",
          },
          {
            rule: "!self.matches('^[a-z0-9]+://[^/]*@')",
            message: "credentials do not belong into the uri; put them into a Secret and name it in secretRef",
          },
        ),
      )
      .describe(
        "Where the model is: s3://bucket/prefix/, https://host/model.onnx, configmap://name, or file:///path inside the image or a mount. A folder holds model.onnx and, optionally, preprocessor.onnx, metadata.json and golden.json.",
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
      rule: "!has(self.secretRef) || self.uri.startsWith('s3://') || self.uri.startsWith('https://')",
      message: "secretRef is used with s3:// and https:// only",
      fieldPath: ".secretRef",
    }),
  )
  .describe("Where a version's model comes from.");

export type Source = z.infer<typeof source>;
