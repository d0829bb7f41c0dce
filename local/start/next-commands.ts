interface Served {
  url: string;
  name: string;
  row: object;
  stickyHeader: string | undefined;
  /** What the model answered to that row. */
  answer: string;
  kubeconfig: string;
  hasKubectl: boolean;
}

/** What the user reads when all runs: where it is, how to ask it, what to try next. */
export function nextCommands(served: Served): string {
  const { url, name, answer, kubeconfig, hasKubectl } = served;
  const look = hasKubectl
    ? [
        `export KUBECONFIG=${quote(kubeconfig)}`,
        "kubectl get mdep",
        `kubectl describe mdep ${name}`,
        "kubectl get pods",
      ]
    : ["npm run status", `npm run status ${name}`];
  return [
    "",
    `${name} answers at ${url}`,
    "",
    "Ask it:",
    `  ${curlLine(served)}`,
    `  ${answer}`,
    "",
    "Look around, in another terminal:",
    ...look.map((command) => `  ${command}`),
    "",
    "Ctrl-C stops everything.",
    "",
  ].join("\n");
}

export function curlLine({ url, row, stickyHeader }: Pick<Served, "url" | "row" | "stickyHeader">): string {
  const headers = Object.entries(requestHeaders(stickyHeader)).map(([name, value]) => `${name}: ${value}`);
  const flags = headers.map((header) => `-H ${quote(header)}`).join(" ");
  return `curl -s ${url}/predict ${flags} -d ${quote(JSON.stringify(row))}`;
}

/** As some user, so that asking again meets the same version again. */
export function requestHeaders(stickyHeader: string | undefined): Record<string, string> {
  return { "content-type": "application/json", ...(stickyHeader !== undefined && { [stickyHeader]: "alice" }) };
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
