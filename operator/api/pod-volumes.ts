import { z } from "zod";
import { int, quantity } from "./fields.ts";
import { labelSelector, named, optional, patchable, strings, text } from "./pod-fields.ts";

const mode = int(0, 0o777);
const keyToPath = optional({ key: text, path: text, mode });
const items = z.array(keyToPath).max(128);
const fieldFile = optional({
  path: text,
  mode,
  fieldRef: optional({ apiVersion: text, fieldPath: text }),
  resourceFieldRef: optional({ containerName: text, resource: text, divisor: quantity }),
});

/** Kinds of volumes that the CRD passes through, and the parser checks. */
const passedThrough = {
  projected: patchable({
    defaultMode: mode,
    sources: z
      .array(
        optional({
          configMap: optional({ name: named, items, optional: z.boolean() }),
          secret: optional({ name: named, items, optional: z.boolean() }),
          downwardAPI: optional({ items: z.array(fieldFile).max(64) }),
          serviceAccountToken: optional({ audience: text, expirationSeconds: int(600, 2 ** 31 - 1), path: text }),
          clusterTrustBundle: optional({
            name: named,
            signerName: text,
            labelSelector,
            optional: z.boolean(),
            path: text,
          }),
        }),
      )
      .max(32),
  }),
  downwardAPI: patchable({ defaultMode: mode, items: z.array(fieldFile).max(64) }),
  csi: patchable({
    driver: text,
    fsType: text,
    readOnly: z.boolean(),
    nodePublishSecretRef: optional({ name: named }),
    volumeAttributes: z.record(z.string(), z.string()),
  }),
  ephemeral: patchable({
    volumeClaimTemplate: optional({
      metadata: optional({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
      }),
      spec: optional({
        accessModes: strings,
        storageClassName: text,
        volumeMode: text,
        volumeAttributesClassName: text,
        selector: labelSelector,
        resources: optional({
          requests: z.record(z.string(), quantity),
          limits: z.record(z.string(), quantity),
        }),
      }),
    }),
  }),
};

/** Kinds of volumes that the restricted Pod Security Standard allows: none of the node's own. */
export const volume = patchable({
  name: named,
  configMap: patchable({ name: named, items, defaultMode: mode, optional: z.boolean() }),
  secret: patchable({ secretName: named, items, defaultMode: mode, optional: z.boolean() }),
  emptyDir: patchable({ medium: text, sizeLimit: quantity }),
  persistentVolumeClaim: patchable({ claimName: named, readOnly: z.boolean() }),
  image: patchable({ reference: z.string().max(512), pullPolicy: z.enum(["Always", "IfNotPresent", "Never"]) }),
  projected: passedThrough.projected.meta({ passThrough: true }),
  downwardAPI: passedThrough.downwardAPI.meta({ passThrough: true }),
  csi: passedThrough.csi.meta({ passThrough: true }),
  ephemeral: passedThrough.ephemeral.meta({ passThrough: true }),
});
