import { curlLine, quote } from "../ask/curl-line.ts";
import type { Question } from "../ask/question.ts";

interface Served {
  url: string;
  name: string;
  /** What the model was asked, and what it answered; undefined when no request is short enough to show. */
  example: { question: Question; answer: string } | undefined;
  stickyHeader: string | undefined;
  /** The model's place, when its changes are followed. */
  followed: string | undefined;
  kubeconfig: string;
  hasKubectl: boolean;
}

/** What the user reads when all runs: where it is, how to ask it, what to try next. */
export function nextCommands({ url, name, example, stickyHeader, followed, kubeconfig, hasKubectl }: Served): string {
  const look = hasKubectl
    ? [
        `export KUBECONFIG=${quote(kubeconfig)}`,
        "kubectl get mdep",
        `kubectl describe mdep ${name}`,
        "kubectl get pods",
      ]
    : ["npm run status", `npm run status ${name}`];
  const ask =
    example === undefined
      ? [`What to ask it: ${url}/docs`]
      : ["Ask it:", `  ${curlLine({ url, ...example.question, stickyHeader })}`, `  ${example.answer}`];
  return [
    "",
    `${name} answers at ${url}`,
    "",
    ...ask,
    "",
    "Look around, in another terminal:",
    ...look.map((command) => `  ${command}`),
    "",
    ...(followed === undefined ? [] : [`A change in ${followed} becomes a new revision.`]),
    "Ctrl-C stops everything.",
    "",
  ].join("\n");
}
