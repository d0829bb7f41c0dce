/** What neither the API server, by the CRD, nor the parser may accept: with the field that each must name. */
export interface InvalidObject {
  readonly title: string;
  readonly name?: string;
  readonly spec: object;
  /** Path of the field, as the parser says it. */
  readonly field: string;
}

const uri = "s3://models/loan/1/";
const source = { uri };
const version = (fields: object = {}) => ({ name: "v1", source, ...fields });
const variable = (fields: object) => ({ source, serving: { env: [{ name: "MODE", ...fields }] } });

const logged = (fields: object) => ({ source, serving: { predictionLog: { sink: "stdout", ...fields } } });
const batched = (fields: object) => ({ source, serving: { batching: fields } });

export const invalidObjects: readonly InvalidObject[] = [
  { title: "a name of 39 characters", name: "a".repeat(39), spec: { source }, field: "metadata.name" },
  { title: "a name that starts with a digit", name: "1-loan", spec: { source }, field: "metadata.name" },
  { title: "neither versions nor source", spec: {}, field: "spec" },
  { title: "both versions and source", spec: { source, versions: [version()] }, field: "spec" },
  { title: "no version", spec: { versions: [] }, field: "spec.versions" },
  {
    title: "nine versions",
    spec: { versions: Array.from({ length: 9 }, (_, i) => version({ name: `v${i}`, weight: i === 0 ? 100 : 0 })) },
    field: "spec.versions",
  },
  {
    title: "a version's name with dots",
    spec: { versions: [version({ name: "1.0.0" })] },
    field: "spec.versions[0].name",
  },
  {
    title: "a version's name in capitals",
    spec: { versions: [version({ name: "V1" })] },
    field: "spec.versions[0].name",
  },
  {
    title: "a version's name of 15 characters",
    spec: { versions: [version({ name: "v".repeat(15) })] },
    field: "spec.versions[0].name",
  },
  { title: "a version of nothing", spec: { versions: [{ name: "v1" }] }, field: "spec.versions[0]" },
  {
    title: "a version with a source and an image",
    spec: { versions: [version({ image: "mine:1" })] },
    field: "spec.versions[0]",
  },
  ...["mine", "registry:5000/mine", "Mine:1", "mine:", "mine@sha256:12", "https://registry/mine:1"].map((image) => ({
    title: `the image ${image}`,
    spec: { versions: [{ name: "v1", image }] },
    field: "spec.versions[0].image",
  })),
  {
    title: "a pod that ends too soon",
    spec: { source, serving: { podTemplate: { spec: { terminationGracePeriodSeconds: 5 } } } },
    field: "spec.serving.podTemplate.spec.terminationGracePeriodSeconds",
  },
  {
    title: "a port that is none in a pod's template",
    spec: {
      source,
      serving: { podTemplate: { spec: { containers: [{ name: "proxy", ports: [{ containerPort: 70_000 }] }] } } },
    },
    field: "spec.serving.podTemplate.spec.containers[0].ports[0].containerPort",
  },
  {
    title: "two versions of one name",
    spec: { versions: [version({ weight: 50 }), version({ weight: 50 })] },
    field: "spec.versions",
  },
  {
    title: "two versions of which one has no weight",
    spec: { versions: [version({ weight: 100 }), version({ name: "v2" })] },
    field: "spec.versions",
  },
  {
    title: "weights that sum to 90",
    spec: { versions: [version({ weight: 80 }), version({ name: "v2", weight: 10 })] },
    field: "spec.versions",
  },
  {
    title: "one version with half of the weight",
    spec: { versions: [version({ weight: 50 })] },
    field: "spec.versions",
  },
  { title: "a weight above 100", spec: { versions: [version({ weight: 101 })] }, field: "spec.versions[0].weight" },
  { title: "a weight below 0", spec: { versions: [version({ weight: -1 })] }, field: "spec.versions[0].weight" },
  {
    title: "a weight that is no whole number",
    spec: { versions: [version({ weight: 99.5 })] },
    field: "spec.versions[0].weight",
  },
  {
    title: "a source of a scheme that is not there",
    spec: { source: { uri: "ftp://host/model" } },
    field: "spec.source.uri",
  },
  { title: "a source without a scheme", spec: { source: { uri: "/models/loan" } }, field: "spec.source.uri" },
  { title: "a source of nothing", spec: { source: { uri: "" } }, field: "spec.source.uri" },
  { title: "a relative file", spec: { source: { uri: "file://models/loan" } }, field: "spec.source.uri" },
  { title: "a file without a path", spec: { source: { uri: "file:///" } }, field: "spec.source.uri" },
  { title: "a key of a ConfigMap", spec: { source: { uri: "configmap://loan/model.onnx" } }, field: "spec.source.uri" },
  { title: "a ConfigMap in capitals", spec: { source: { uri: "configmap://Loan" } }, field: "spec.source.uri" },
  { title: "a claim in capitals", spec: { source: { uri: "pvc://Models/loan" } }, field: "spec.source.uri" },
  { title: "a hub's repository without an owner", spec: { source: { uri: "hf://loan" } }, field: "spec.source.uri" },
  { title: "a registry without a repository", spec: { source: { uri: "oci://ghcr.io" } }, field: "spec.source.uri" },
  {
    title: "a registry's password",
    spec: { source: { uri: "oci://me:secret@ghcr.io/acme/loan" } },
    field: "spec.source.uri",
  },
  {
    title: "a model of MLflow without its server",
    spec: { source: { uri: "models:/Loan/3" } },
    field: "spec.source.mlflow",
  },
  {
    title: "an MLflow server for another source",
    spec: { source: { uri, mlflow: { trackingUri: "https://mlflow" } } },
    field: "spec.source.mlflow",
  },
  {
    title: "a model of MLflow by its stage",
    spec: { source: { uri: "models:/Loan/Production", mlflow: { trackingUri: "https://mlflow" } } },
    field: "spec.source.uri",
  },
  {
    title: "a run of MLflow without a path",
    spec: { source: { uri: `runs:/${"0".repeat(32)}`, mlflow: { trackingUri: "https://mlflow" } } },
    field: "spec.source.uri",
  },
  {
    title: "a password in an MLflow server's address",
    spec: { source: { uri: "models:/Loan/3", mlflow: { trackingUri: "https://me:secret@mlflow" } } },
    field: "spec.source.mlflow.trackingUri",
  },
  {
    title: "a password in the source",
    spec: { source: { uri: "https://me:secret@host/model.onnx" } },
    field: "spec.source.uri",
  },
  {
    title: "credentials for a source that takes none",
    spec: { source: { uri: "configmap://loan", secretRef: { name: "s3" } } },
    field: "spec.source.secretRef",
  },
  {
    title: "credentials for a claim",
    spec: { source: { uri: "pvc://models/loan", secretRef: { name: "s3" } } },
    field: "spec.source.secretRef",
  },
  {
    title: "a Secret without a name",
    spec: { source: { uri, secretRef: { name: "" } } },
    field: "spec.source.secretRef.name",
  },
  { title: "a digest in capitals", spec: { source: { uri, sha256: "A".repeat(64) } }, field: "spec.source.sha256" },
  {
    title: "a digest that is too short",
    spec: { source: { uri, sha256: "a".repeat(63) } },
    field: "spec.source.sha256",
  },
  {
    title: "replicas and autoscaling",
    spec: { source, serving: { replicas: 2, autoscaling: { maxReplicas: 3 } } },
    field: "spec.serving.autoscaling",
  },
  {
    title: "replicas and autoscaling of a version",
    spec: { versions: [version({ serving: { replicas: 2, autoscaling: { maxReplicas: 3 } } })] },
    field: "spec.versions[0].serving.autoscaling",
  },
  { title: "no replicas", spec: { source, serving: { replicas: 0 } }, field: "spec.serving.replicas" },
  {
    title: "a minimum of no replicas",
    spec: { source, serving: { autoscaling: { minReplicas: 0, maxReplicas: 3 } } },
    field: "spec.serving.autoscaling.minReplicas",
  },
  {
    title: "a metric that is not what its type says",
    spec: {
      source,
      serving: {
        autoscaling: {
          maxReplicas: 3,
          metrics: [
            { type: "External", pods: { metric: { name: "x" }, target: { type: "AverageValue", averageValue: 1 } } },
          ],
        },
      },
    },
    field: "spec.serving.autoscaling.metrics[0]",
  },
  {
    title: "autoscaling without a maximum",
    spec: { source, serving: { autoscaling: { minReplicas: 2 } } },
    field: "spec.serving.autoscaling.maxReplicas",
  },
  {
    title: "a minimum above the maximum",
    spec: { source, serving: { autoscaling: { minReplicas: 4, maxReplicas: 3 } } },
    field: "spec.serving.autoscaling.minReplicas",
  },
  {
    title: "a version's maximum below the minimum of spec.serving",
    spec: {
      versions: [version({ serving: { autoscaling: { maxReplicas: 3 } } })],
      serving: { autoscaling: { minReplicas: 4, maxReplicas: 8 } },
    },
    field: "spec",
  },
  {
    title: "a target of no CPU",
    spec: { source, serving: { autoscaling: { maxReplicas: 3, targetCPUUtilizationPercentage: 0 } } },
    field: "spec.serving.autoscaling.targetCPUUtilizationPercentage",
  },
  {
    title: "a quantity that is none",
    spec: { source, serving: { resources: { limits: { memory: "4 GB" } } } },
    field: "spec.serving.resources.limits.memory",
  },
  {
    title: "a probe every 0 seconds",
    spec: { source, serving: { probes: { periodSeconds: 0 } } },
    field: "spec.serving.probes.periodSeconds",
  },
  {
    title: "a variable that the operator sets",
    spec: { source, serving: { env: [{ name: "MODEL_URI", value: "x" }] } },
    field: "spec.serving.env[0].name",
  },
  {
    title: "a variable of a version that the operator sets",
    spec: { versions: [version({ serving: { env: [{ name: "PORT", value: "1" }] } })] },
    field: "spec.versions[0].serving.env[0].name",
  },
  {
    title: "a variable with a space",
    spec: { source, serving: { env: [{ name: "MY MODE" }] } },
    field: "spec.serving.env[0].name",
  },
  {
    title: "a variable twice",
    spec: {
      source,
      serving: {
        env: [
          { name: "MODE", value: "a" },
          { name: "MODE", value: "b" },
        ],
      },
    },
    field: "spec.serving.env",
  },
  {
    title: "a variable with a value and where it comes from",
    spec: variable({ value: "x", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }),
    field: "spec.serving.env[0]",
  },
  { title: "a variable from nowhere", spec: variable({ valueFrom: {} }), field: "spec.serving.env[0].valueFrom" },
  {
    title: "a variable from two places",
    spec: variable({ valueFrom: { fieldRef: { fieldPath: "status.podIP" }, secretKeyRef: { name: "s", key: "k" } } }),
    field: "spec.serving.env[0].valueFrom",
  },
  ...["5", "5m", "-1ms", "1.5s", "11s", "100000ms", ""].map((maxDelay) => ({
    title: `a delay of ${JSON.stringify(maxDelay)}`,
    spec: batched({ maxDelay }),
    field: "spec.serving.batching.maxDelay",
  })),
  { title: "batches of nothing", spec: batched({ maxSize: 0 }), field: "spec.serving.batching.maxSize" },
  { title: "a queue for nobody", spec: batched({ maxQueue: 0 }), field: "spec.serving.batching.maxQueue" },
  {
    title: "a batch of a version that is too large",
    spec: { versions: [version({ serving: { batching: { maxSize: 65_537 } } })] },
    field: "spec.versions[0].serving.batching.maxSize",
  },
  {
    title: "a prediction log to nowhere",
    spec: { source, serving: { predictionLog: {} } },
    field: "spec.serving.predictionLog.sink",
  },
  ...[
    "stderr",
    "/var/log/p",
    "file://p",
    "file:///folder/",
    "kafka://broker/topic",
    "https://",
    "https://me:secret@host/",
    "http://169.254.169.254/latest",
    "http://[fe80::1]/",
  ].map((sink) => ({
    title: `a prediction log to ${sink}`,
    spec: logged({ sink }),
    field: "spec.serving.predictionLog.sink",
  })),
  { title: "a sample above 1", spec: logged({ sample: 1.01 }), field: "spec.serving.predictionLog.sample" },
  { title: "a sample below 0", spec: logged({ sample: -0.5 }), field: "spec.serving.predictionLog.sample" },
  { title: "a redacted nothing", spec: logged({ redact: [""] }), field: "spec.serving.predictionLog.redact[0]" },
  { title: "a name redacted twice", spec: logged({ redact: ["a", "a"] }), field: "spec.serving.predictionLog.redact" },
  {
    title: "credentials for stdout",
    spec: logged({ secretRef: { name: "events" } }),
    field: "spec.serving.predictionLog.secretRef",
  },
  {
    title: "a header's name with a space",
    spec: { source, traffic: { sticky: { header: "user id" } } },
    field: "spec.traffic.sticky.header",
  },
  { title: "sticky by nothing", spec: { source, traffic: { sticky: {} } }, field: "spec.traffic.sticky.header" },
  {
    title: "a Service of no type",
    spec: { source, traffic: { service: { type: "ExternalName" } } },
    field: "spec.traffic.service.type",
  },
  {
    title: "a port above 65535",
    spec: { source, traffic: { service: { port: 65_536 } } },
    field: "spec.traffic.service.port",
  },
  { title: "suspend in words", spec: { source, suspend: "yes" }, field: "spec.suspend" },
];
