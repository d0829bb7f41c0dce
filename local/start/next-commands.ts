import { curlLine, quote } from "../ask/curl-line.ts";
import type { Example } from "../ask/first-example.ts";

interface Running {
  name: string;
  served: Served | undefined;
  stickyHeader: string | undefined;
  /** The model's place, when its changes are followed. */
  followed: string | undefined;
  kubeconfig: string;
  hasKubectl: boolean;
}

export interface Served {
  url: string;
  /** What the model was asked, and what it answered; undefined when no request is short enough to show. */
  example: Example | undefined;
}

/** What the user reads when all runs: where the model is, how to ask it, what to try next. */
export function nextCommands({ name, served, stickyHeader, followed, kubeconfig, hasKubectl }: Running): string {
  const look = hasKubectl
    ? ["kubectl get mdep", `kubectl describe mdep ${name}`, "kubectl get pods"]
    : ["npm run status", `npm run status ${name}`];
  return [
    "",
    ...(served === undefined ? [] : [`${name} answers at ${served.url}`, "", ...ask(served, stickyHeader), ""]),
    "Look around, in another terminal:",
    `  export KUBECONFIG=${quote(kubeconfig)}`,
    ...look.map((command) => `  ${command}`),
    "",
    ...(followed === undefined ? [] : [`A change in ${followed} becomes a new revision.`]),
    "Ctrl-C stops everything.",
    "",
  ].join("\n");
}

function ask({ url, example }: Served, stickyHeader: string | undefined): string[] {
  if (example === undefined) return [`What to ask it: ${url}/docs`];
  return ["Ask it:", `  ${curlLine({ url, ...example.question, stickyHeader })}`, `  ${example.answer}`];
}
