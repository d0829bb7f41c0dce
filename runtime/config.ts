import { tmpdir } from "node:os";
import { join } from "node:path";

import { CREDENTIAL_VARIABLES, HTTP_PORT, RUNTIME_ENV, SERVING_ENV } from "./contract.ts";
import {
  choice,
  digest,
  flag,
  integer,
  names,
  optional,
  optionalInteger,
  required,
  share,
  sink,
  text,
} from "./setting.ts";
import type { Setting } from "./setting.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
/** Addresses that name a model, for people. */
export const SOURCES =
  "file://, https://, s3://, gs://, az://, hf://, oci://, pvc://, configmap://, models:/ or runs:/";

/** Some times what a wake-up takes. */
const BUSY_POLL_MICROSECONDS = 200;
const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"];

const SETTINGS = {
  modelUri: required(RUNTIME_ENV.uri, `Where the model is: a folder, or ${SOURCES} (alias MODEL_PATH); required`),
  modelSha256: digest(RUNTIME_ENV.sha256, "The SHA-256 that the artifact must have, in hex"),
  modelName: text(RUNTIME_ENV.name, "model", "Name of the model in /v2/models/NAME"),
  modelVersion: optional(RUNTIME_ENV.version, "model_version of the answers when metadata.json names none"),
  modelVariant: text(
    RUNTIME_ENV.variant,
    "default",
    "model_variant of the answers: the version's name in the ModelDeployment",
  ),
  modelRevision: optional(RUNTIME_ENV.revision, "Revision shown by /model/info and /metrics"),
  host: optional(RUNTIME_ENV.host, "Address to listen on; all of them when unset"),
  port: integer(RUNTIME_ENV.port, HTTP_PORT, [0, 65_535], "Port of the API and of /metrics; 0 takes a free one"),
  grpcPort: optionalInteger(RUNTIME_ENV.grpcPort, [0, 65_535], "Port of gRPC; 0 takes a free one; no gRPC when unset"),
  maxBodyBytes: integer("MAX_BODY_BYTES", 10 * MiB, [1, 1024 * MiB], "Largest request body, in bytes"),
  maxQueue: integer(
    SERVING_ENV.maxQueue,
    1024,
    [1, 1_000_000],
    "Predictions in flight at once; one more is answered 503",
  ),
  batchMaxSize: integer(SERVING_ENV.batchMaxSize, 64, [1, 65_536], "Most rows in one run of the model"),
  batchMaxDelayMs: integer(
    SERVING_ENV.batchMaxDelayMs,
    0,
    [0, 10_000],
    "How long a prediction waits for others to share its run; 0 is best unless one row costs as much as many",
  ),
  requestTimeoutSeconds: integer(
    "REQUEST_TIMEOUT_SECONDS",
    30,
    [1, 3600],
    "A prediction that waited longer for its run is answered 504",
  ),
  clientTimeoutSeconds: integer(
    "CLIENT_TIMEOUT_SECONDS",
    60,
    [1, 3600],
    "A request that has not come whole by then, or its headers in a quarter of that, is answered 408 and its connection closed",
  ),
  maxConnectionAgeSeconds: integer(
    "MAX_CONNECTION_AGE_SECONDS",
    300,
    [1, 86_400],
    "Connections older than this (±10 %) are closed after their next answer, so that clients meet new pods",
  ),
  processes: optionalInteger(
    "PROCESSES",
    [1, 64],
    "Processes that serve the model, each of which loads it; as many as whole CPUs that the cgroup allows when unset, else one",
  ),
  intraOpThreads: optionalInteger(
    "INTRA_OP_THREADS",
    [1, 256],
    "Threads of one run; the CPUs that the cgroup allows each process when unset, else one",
  ),
  inlineRunMs: integer(
    "INLINE_RUN_MS",
    1,
    [0, 3_600_000],
    "Models whose warm run of one row takes longer run in a thread of their own, so that nothing else has to wait",
  ),
  busyPollMicroseconds: optionalInteger(
    "BUSY_POLL_MICROSECONDS",
    [0, 1000],
    "How long a process whose requests come one right after the other looks for the next without sleeping; 200 when unset, 0 for processes without a whole CPU each",
  ),
  feedbackKey: optional(
    "FEEDBACK_KEY",
    "Secret that signs request ids; only feedback for ids signed with it is counted",
  ),
  feedbackMaxAgeSeconds: integer(
    "FEEDBACK_MAX_AGE_SECONDS",
    30 * 86_400,
    [1, 3650 * 86_400],
    "Feedback for older answers is refused",
  ),
  feedbackWindow: integer("FEEDBACK_WINDOW", 1000, [1, 1_000_000], "Truths that ml_model_accuracy looks back on"),
  logPredictionsSink: sink(
    SERVING_ENV.logSink,
    "Where predictions are logged: stdout, file:///path, https://…; nowhere when unset",
  ),
  logPredictionsSample: share(SERVING_ENV.logSample, 1, "Share of the requests that are logged, by request id"),
  logPredictionsRedact: names(
    SERVING_ENV.logRedact,
    "Fields, inputs or outputs whose values are not logged: a,b or a JSON list",
  ),
  logPredictionsKeyHeader: optional(SERVING_ENV.logKeyHeader, "Request header that names the user"),
  logPredictionsAuthorization: optional(SERVING_ENV.logAuthorization, "Authorization header for an https:// sink"),
  logPredictionsEventsPerRequest: integer(
    "LOG_PREDICTIONS_EVENTS_PER_REQUEST",
    1,
    [1, 128],
    "CloudEvents in a request to an https:// sink; more than 1 are sent as a batch, which not every receiver takes",
  ),
  logPredictionsMaxValues: integer(
    "LOG_PREDICTIONS_MAX_VALUES",
    1024,
    [1, 10_000],
    "Most values of the inputs, and of the outputs, in a line",
  ),
  logPredictionsMaxQueue: integer(
    "LOG_PREDICTIONS_MAX_QUEUE",
    10_000,
    [1, 1_000_000],
    "Most lines that wait to be written",
  ),
  logPredictionsMaxQueueBytes: integer(
    "LOG_PREDICTIONS_MAX_QUEUE_BYTES",
    16 * MiB,
    [1, 1024 * MiB],
    "Memory for the lines that wait to be written",
  ),
  logPredictionsMaxFileBytes: integer(
    "LOG_PREDICTIONS_MAX_FILE_BYTES",
    100 * MiB,
    [1, 1024 * GiB],
    "Size at which a file of predictions is put aside",
  ),
  logPredictionsMaxFiles: integer("LOG_PREDICTIONS_MAX_FILES", 5, [1, 1000], "Files of predictions that are kept"),
  drainSeconds: integer(
    RUNTIME_ENV.drainSeconds,
    5,
    [0, 3600],
    "Seconds of service after SIGTERM, while routers take note of the 503 of /health",
  ),
  loadDeadlineSeconds: integer(
    "LOAD_DEADLINE_SECONDS",
    1800,
    [1, 86_400],
    "Seconds after which an unfinished download fails",
  ),
  maxArtifactBytes: integer("MAX_ARTIFACT_BYTES", 2 * GiB, [1, 1024 * GiB], "Largest artifact, unpacked, in bytes"),
  cacheDir: text(RUNTIME_ENV.cacheDir, join(tmpdir(), "slipway"), "Writable folder for downloaded artifacts"),
  cacheMaxBytes: integer(
    "MODEL_CACHE_MAX_BYTES",
    10 * GiB,
    [0, 1024 * GiB],
    "Bytes of MODEL_CACHE_DIR beyond which artifacts that were long not used are removed",
  ),
  configMapRoot: text(
    RUNTIME_ENV.configMapRoot,
    "/var/run/slipway/configmaps",
    "Folder under which configmap://NAME is mounted as NAME/",
  ),
  claimRoot: text(
    RUNTIME_ENV.claimRoot,
    "/var/run/slipway/claims",
    "Folder under which the claim of pvc://CLAIM/PATH is mounted as CLAIM/",
  ),
  terminationMessagePath: text(
    RUNTIME_ENV.terminationMessagePath,
    "/dev/termination-log",
    "File that tells Kubernetes why a model did not load",
  ),
  allowHttp: flag("ALLOW_HTTP", false, "Allow http:// sources that are not on this machine"),
  httpAuthorization: optional("HTTP_AUTHORIZATION", "Authorization header for https:// sources"),
  httpUsername: optional("HTTP_USERNAME", "User name for https:// sources"),
  httpPassword: optional("HTTP_PASSWORD", "Password for https:// sources"),
  awsAccessKeyId: optional(
    "AWS_ACCESS_KEY_ID",
    "S3 access key; without it the AWS SDK's other ways apply (web identity, instance role)",
  ),
  awsSecretAccessKey: optional("AWS_SECRET_ACCESS_KEY", "S3 secret key"),
  awsSessionToken: optional("AWS_SESSION_TOKEN", "S3 session token"),
  awsRegion: text("AWS_REGION", "us-east-1", "S3 region"),
  awsEndpointUrl: optional("AWS_ENDPOINT_URL", "S3 endpoint of MinIO and others"),
  s3ForcePathStyle: flag(
    "S3_FORCE_PATH_STYLE",
    undefined,
    "Address buckets by path rather than by host name; true when AWS_ENDPOINT_URL is set",
  ),
  googleCredentials: optional(
    "GOOGLE_CREDENTIALS",
    "Service account key for gs:// sources: its JSON text; without it the SDK's other ways apply (workload identity)",
  ),
  storageEmulatorHost: optional(
    "STORAGE_EMULATOR_HOST",
    "Address of another server of Google's storage API, asked without credentials",
  ),
  azureConnectionString: optional("AZURE_STORAGE_CONNECTION_STRING", "Account of az:// sources, with its key or SAS"),
  azureAccount: optional("AZURE_STORAGE_ACCOUNT", "Account of az:// sources"),
  azureKey: optional("AZURE_STORAGE_KEY", "Key of the account"),
  azureSasToken: optional("AZURE_STORAGE_SAS_TOKEN", "Shared access signature instead of the key"),
  hfEndpoint: text("HF_ENDPOINT", "https://huggingface.co", "The hub of hf:// sources"),
  hfToken: optional("HF_TOKEN", "Access token for hf:// sources"),
  ociUsername: optional("OCI_USERNAME", "User name for the registry of oci:// sources"),
  ociPassword: optional("OCI_PASSWORD", "Password or token for the registry of oci:// sources"),
  ociDockerConfig: optional(CREDENTIAL_VARIABLES[".dockerconfigjson"], "The same as a Docker config.json: its text"),
  ociPlainHttp: flag("OCI_PLAIN_HTTP", false, "Speak plain HTTP to registries that are not on this machine"),
  mlflowTrackingUri: optional("MLFLOW_TRACKING_URI", "The MLflow server of models:/ and runs:/ sources"),
  mlflowTrackingToken: optional("MLFLOW_TRACKING_TOKEN", "Access token for the MLflow server"),
  mlflowTrackingUsername: optional("MLFLOW_TRACKING_USERNAME", "User name for the MLflow server"),
  mlflowTrackingPassword: optional("MLFLOW_TRACKING_PASSWORD", "Password for the MLflow server"),
  logLevel: choice("LOG_LEVEL", LOG_LEVELS, "info", "Least severe level that is logged"),
} satisfies Record<string, Setting<unknown>>;

/** Everything that the environment says, read once. Secrets are part of it: never log it whole. */
export type Config = Shares & Omit<Parsed, keyof Shares>;

type Parsed = { readonly [Key in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[Key]["parse"]> };

/** What depends on the CPUs that there are. */
interface Shares {
  readonly processes: number;
  readonly intraOpThreads: number;
  readonly busyPollMicroseconds: number;
}

/** All problems of the environment at once, one sentence each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
  }
}

/** The environment of this process; the only place that reads it. */
export const processEnvironment = (): NodeJS.ProcessEnv => process.env;

/**
 * `cpus` is how many the cgroup allows, undefined when it does not say.
 * Throws a {@link ConfigError} that names every variable that is wrong, never its value when it is a secret.
 */
export function readConfig(environment: NodeJS.ProcessEnv, cpus?: number): Config {
  const problems: string[] = [];
  const values = Object.entries(SETTINGS).map(([key, setting]) => {
    try {
      return [key, (setting as Setting<unknown>).parse(valueOf(setting.env, environment))];
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      problems.push(error.message);
      return [key, undefined];
    }
  });
  const { MODEL_URI, MODEL_PATH } = environment;
  if (MODEL_URI && MODEL_PATH && MODEL_URI !== MODEL_PATH) {
    problems.push("MODEL_URI and MODEL_PATH differ: set one of them");
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const parsed = Object.fromEntries(values) as Parsed;
  return Object.freeze({ ...parsed, ...shares(parsed, cpus) });
}

function shares({ processes, intraOpThreads, busyPollMicroseconds }: Parsed, cpus = 1): Shares {
  const whole = (number: number): number => Math.max(Math.floor(number), 1);
  const count = processes ?? whole(cpus);
  return {
    processes: count,
    intraOpThreads: intraOpThreads ?? whole(cpus / count),
    // Who has less is stopped when it has used that up: there is none to spend on looking.
    busyPollMicroseconds: busyPollMicroseconds ?? (cpus >= count ? BUSY_POLL_MICROSECONDS : 0),
  };
}

/** Where to leave the termination message, known even when the rest of the environment is wrong. */
export function terminationMessagePath(environment: NodeJS.ProcessEnv): string {
  return SETTINGS.terminationMessagePath.parse(valueOf(RUNTIME_ENV.terminationMessagePath, environment));
}

export function usage(): string {
  const lines = Object.values(SETTINGS).map((setting: Setting<unknown>) => {
    const shown = setting.shown === undefined ? "" : ` (default: ${setting.shown})`;
    return `  ${setting.env.padEnd(28)}${setting.help}${shown}`;
  });
  return [
    "Serves one ONNX model over HTTP. Configured by environment variables only:",
    "",
    ...lines,
    "",
    "It listens at once; GET /health answers 503 until the model is loaded and warmed up.",
    "A model that cannot be loaded ends the process with code 1 and a reason in TERMINATION_MESSAGE_PATH.",
    "",
  ].join("\n");
}

/** An empty variable counts as unset: templates often leave one behind. */
function valueOf(env: string, environment: NodeJS.ProcessEnv): string | undefined {
  return environment[env] || (env === RUNTIME_ENV.uri ? environment["MODEL_PATH"] : undefined) || undefined;
}
