import { Command, InvalidArgumentError, Option } from "commander";
import { parseLogLevels } from "./observability/log-levels.ts";
import type { LogLevels } from "./observability/log-levels.ts";

/** Everything that can be set from outside, read once. */
export interface OperatorConfig {
  /** Namespaces to watch; all of them when none is named. */
  readonly namespaces: readonly string[] | "all";
  readonly runtimeImage: string;
  readonly routerImage: string;
  /** Pods name no user, because the cluster assigns one. */
  readonly openshift?: boolean;
  readonly scaleDownDelaySeconds: number;
  readonly workers: number;
  /** Hosts of MLflow servers that users may name; see HostPolicy. */
  readonly mlflowHosts: readonly string[];
  readonly mlflowPollSeconds: number;
  /** Where the Lease is; undefined: this process is the only one. */
  readonly leaderElection: { readonly namespace: string } | undefined;
  /** This replica among others, in the Lease and in Events. */
  readonly identity: string;
  readonly bindAddress: string;
  readonly healthPort: number;
  readonly metricsPort: number;
  /** On loopback, for heap snapshots and CPU profiles; 0: none. */
  readonly profilingPort: number;
  readonly logLevels: LogLevels;
}

interface Options {
  watchNamespaces?: string[];
  runtimeImage: string;
  routerImage: string;
  openshift: boolean;
  scaleDownDelay: number;
  workers: number;
  mlflowHosts: string[];
  mlflowPollInterval: number;
  leaderElect: boolean;
  leaderElectNamespace: string;
  identity: string;
  bindAddress: string;
  healthPort: number;
  metricsPort: number;
  profilingPort: number;
  logLevel: LogLevels;
}

/** From arguments, else from the environment variable beside each, else the default. Ends the process for --help. */
export function readConfig(argv: readonly string[], hostname: string): OperatorConfig {
  const options = command(hostname).parse(argv).opts<Options>();
  const { watchNamespaces, scaleDownDelay, mlflowPollInterval, leaderElect, leaderElectNamespace, logLevel, ...rest } =
    options;
  return Object.freeze({
    ...rest,
    namespaces: watchNamespaces ?? "all",
    scaleDownDelaySeconds: scaleDownDelay,
    mlflowPollSeconds: mlflowPollInterval,
    logLevels: logLevel,
    leaderElection: leaderElect ? { namespace: leaderElectNamespace } : undefined,
  });
}

function command(hostname: string): Command {
  const option = (flags: string, what: string, variable: string): Option => new Option(flags, what).env(variable);
  return new Command("slipway-operator")
    .description("Reconciles ModelDeployments. The cluster is the one of KUBECONFIG, or the one that it runs in.")
    .addOption(
      option("--watch-namespaces <names>", "comma-separated; all when omitted", "WATCH_NAMESPACES").argParser(names),
    )
    .addOption(
      option("--runtime-image <image>", "image of revisions to be made", "RUNTIME_IMAGE").default(
        "ghcr.io/slipway-dev/slipway-runtime:0.1.0",
      ),
    )
    .addOption(
      option("--router-image <image>", "image of routers to be made", "ROUTER_IMAGE").default(
        "envoyproxy/envoy:distroless-v1.40.0",
      ),
    )
    .addOption(
      option(
        "--openshift",
        "let the cluster choose the users of pods, as OpenShift's restricted-v2 does",
        "OPENSHIFT",
      ).default(false),
    )
    .addOption(
      option(
        "--scale-down-delay <seconds>",
        "how long a revision keeps its pods after it lost its last share",
        "SCALE_DOWN_DELAY",
      )
        .argParser(seconds)
        .default(30),
    )
    .addOption(option("--workers <count>", "objects reconciled at once", "WORKERS").argParser(count).default(64))
    .addOption(
      option("--mlflow-hosts <patterns>", "hosts of MLflow servers that users may name: a,*.b", "MLFLOW_HOSTS")
        .argParser(hostPatterns)
        .default(["*"], "*"),
    )
    .addOption(
      option("--mlflow-poll-interval <seconds>", "how often aliases are looked at again", "MLFLOW_POLL_INTERVAL")
        .argParser(pollInterval)
        .default(60),
    )
    .addOption(option("--leader-elect", "let one of several replicas work, by a Lease", "LEADER_ELECT").default(false))
    .addOption(option("--leader-elect-namespace <name>", "where the Lease is", "POD_NAMESPACE").default("default"))
    .addOption(option("--identity <name>", "of this replica, in the Lease and in Events", "POD_NAME").default(hostname))
    .addOption(option("--bind-address <address>", "for health and metrics", "BIND_ADDRESS").default("0.0.0.0"))
    .addOption(
      option("--health-port <port>", "/healthz and /readyz; 0 takes a free one", "HEALTH_PORT")
        .argParser(port)
        .default(8081),
    )
    .addOption(
      option("--metrics-port <port>", "/metrics; 0 takes a free one", "METRICS_PORT").argParser(port).default(8080),
    )
    .addOption(
      option("--profiling-port <port>", "/debug/heap and /debug/cpu, on loopback only; 0: none", "PROFILING_PORT")
        .argParser(port)
        .default(0),
    )
    .addOption(
      option("--log-level <levels>", "debug, info, warn or error; by area too: info,kube=debug", "LOG_LEVEL")
        .argParser(logLevels)
        .default(parseLogLevels("info"), "info"),
    );
}

function names(text: string): string[] {
  const list = text.split(",").map((name) => name.trim());
  const wrong = list.find((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is no namespace's name.`);
  return list;
}

function hostPatterns(text: string): string[] {
  const list = text.split(",").map((pattern) => pattern.trim());
  const wrong = list.find((pattern) => !/^(\*|(\*\.)?[A-Za-z0-9_.:-]+)$/.test(pattern));
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is no host: give *, a host's name, or *.domain.`);
  return list;
}

function pollInterval(text: string): number {
  return number(text, 1, 86_400);
}

function seconds(text: string): number {
  return number(text, 0, 86_400);
}

function count(text: string): number {
  return number(text, 1, 256);
}

function port(text: string): number {
  return number(text, 0, 65_535);
}

function logLevels(text: string): LogLevels {
  try {
    return parseLogLevels(text);
  } catch (error) {
    throw error instanceof RangeError ? new InvalidArgumentError(`${error.message}.`) : error;
  }
}

function number(text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
}
