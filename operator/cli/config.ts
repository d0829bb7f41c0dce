import { existsSync } from "node:fs";

/** Where `npm start` leaves the kubeconfig of its cluster, seen from the project's folder. */
const LOCAL_KUBECONFIG = ".slipway/kubeconfig";

export interface CliConfig {
  /** Undefined: KUBECONFIG, ~/.kube/config or the cluster around, as kubectl finds them. */
  readonly kubeconfig: string | undefined;
}

/** The cluster that npm start runs goes first, unless KUBECONFIG names another. */
export function readCliConfig(): CliConfig {
  const isChosen = process.env["KUBECONFIG"] !== undefined;
  return { kubeconfig: !isChosen && existsSync(LOCAL_KUBECONFIG) ? LOCAL_KUBECONFIG : undefined };
}
