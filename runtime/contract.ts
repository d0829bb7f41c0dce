/**
 * What the operator and any serving image agree on: docs/runtime-contract.md in code.
 * The only file of runtime/ that operator/ may import.
 */

export const HTTP_PORT = 8000;
export const GRPC_PORT = 9000;

/** Environment by which a container learns what to serve. */
export const RUNTIME_ENV = {
  uri: "MODEL_URI",
  sha256: "MODEL_SHA256",
  name: "MODEL_NAME",
  /** Fallback for `model_version` when metadata.json names none. */
  version: "MODEL_VERSION",
  variant: "MODEL_VARIANT",
  revision: "MODEL_REVISION",
  port: "PORT",
  /** Port of gRPC; without it there is none. */
  grpcPort: "GRPC_PORT",
  /** Address to listen on; all of them by default. */
  host: "HOST",
  /** Folder under which `configmap://NAME` is mounted as NAME/. */
  configMapRoot: "MODEL_CONFIGMAP_ROOT",
  /** Folder under which the claim of `pvc://CLAIM/PATH` is mounted as CLAIM/. */
  claimRoot: "MODEL_CLAIM_ROOT",
  terminationMessagePath: "TERMINATION_MESSAGE_PATH",
  /** Seconds between SIGTERM and the closing of the listener: readiness already fails, answers carry `Connection: close`. */
  drainSeconds: "DRAIN_SECONDS",
  /** Writable folder for downloaded artifacts. */
  cacheDir: "MODEL_CACHE_DIR",
} as const;

/** Environment for sources of an MLflow server: its address, and leave to speak plain HTTP where that is what it speaks. */
export const MLFLOW_ENV = { trackingUri: "MLFLOW_TRACKING_URI", allowHttp: "ALLOW_HTTP" } as const;

/** Keys of the MLflow server's Secret that become environment of the container. */
export const MLFLOW_CREDENTIAL_KEYS = [
  "MLFLOW_TRACKING_TOKEN",
  "MLFLOW_TRACKING_USERNAME",
  "MLFLOW_TRACKING_PASSWORD",
] as const;

const S3_KEYS = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_REGION",
  "AWS_ENDPOINT_URL",
  "S3_FORCE_PATH_STYLE",
] as const;
const GS_KEYS = ["GOOGLE_CREDENTIALS"] as const;
const AZ_KEYS = [
  "AZURE_STORAGE_CONNECTION_STRING",
  "AZURE_STORAGE_ACCOUNT",
  "AZURE_STORAGE_KEY",
  "AZURE_STORAGE_SAS_TOKEN",
] as const;
/** Of the storage in which an MLflow server without a proxy keeps its artifacts. */
const ARTIFACT_STORE_KEYS = [...S3_KEYS, ...GS_KEYS, ...AZ_KEYS] as const;
/** Environment that `spec.serving` sets where it says something. A variable of the user's own by such a name wins. */
export const SERVING_ENV = {
  batchMaxSize: "BATCH_MAX_SIZE",
  batchMaxDelayMs: "BATCH_MAX_DELAY_MS",
  maxQueue: "MAX_QUEUE",
  logSink: "LOG_PREDICTIONS_SINK",
  logSample: "LOG_PREDICTIONS_SAMPLE",
  logRedact: "LOG_PREDICTIONS_REDACT",
  /** The request header that names the user. */
  logKeyHeader: "LOG_PREDICTIONS_KEY_HEADER",
  logAuthorization: "LOG_PREDICTIONS_AUTHORIZATION",
} as const;

/**
 * Keys of a source's Secret that become environment of the container, by scheme; no other key is passed on. A scheme that
 * is not here takes no Secret.
 */
export const CREDENTIAL_KEYS = {
  s3: S3_KEYS,
  https: ["HTTP_AUTHORIZATION", "HTTP_USERNAME", "HTTP_PASSWORD"],
  gs: GS_KEYS,
  az: AZ_KEYS,
  hf: ["HF_TOKEN", "HF_ENDPOINT"],
  oci: ["OCI_USERNAME", "OCI_PASSWORD", ".dockerconfigjson"],
  models: ARTIFACT_STORE_KEYS,
  runs: ARTIFACT_STORE_KEYS,
} as const;

/** Variables of the keys above whose names cannot be a variable's. */
export const CREDENTIAL_VARIABLES = { ".dockerconfigjson": "OCI_DOCKER_CONFIG" } as const;

export const HEALTH_PATH = "/health";

/** Why a model did not load. `docs/runtime-contract.md` says what each asks of the user. */
export const LOAD_FAILURES = [
  "ArtifactNotFound",
  "AccessDenied",
  "DigestMismatch",
  "UnsupportedFormat",
  "UnsupportedSource",
  "InvalidModel",
  "SignatureMismatch",
  "SourceUnavailable",
  "ArtifactTooLarge",
  "InvalidConfiguration",
] as const;

export type LoadFailureReason = (typeof LOAD_FAILURES)[number];

/** Written as one JSON line to the termination message (Kubernetes keeps at most 4096 bytes of it). */
export interface TerminationMessage {
  readonly reason: LoadFailureReason;
  readonly message: string;
  /** True when only a change of the spec or of the artifact can help; retrying is then slow. */
  readonly permanent: boolean;
}
