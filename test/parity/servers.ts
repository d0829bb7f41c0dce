import { KubeConfig } from "@kubernetes/client-node";
import { Agent, request } from "undici";
import { systemClock } from "../../operator/kube/clock.ts";
import { CredentialSource } from "../../operator/kube/credentials.ts";
import type { Credentials } from "../../operator/kube/credentials.ts";
import { startEmbeddedApiServer } from "../support/embedded-cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startControlPlane } from "../support/real-control-plane.ts";
import type { Answer, Request, Step } from "./request.ts";

/** How long a watch may stay silent before it counts as having sent all that it will. */
const watchPatienceMs = 20_000;

/** How long controllers may take for what a case waits for. */
const controllerPatienceMs = 90_000;

/** One of the two API servers. */
export class Server {
  private readonly url: string;
  private readonly headers: Record<string, string>;
  private readonly connections: Agent;

  private constructor(url: string, { headers, tls }: Credentials) {
    this.url = url;
    this.headers = headers;
    this.connections = new Agent({ connect: { ...tls } });
  }

  static async connect(kubeconfigFile: string): Promise<Server> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfigFile);
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error(`connecting to an API server: ${kubeconfigFile} names no cluster`);
    return new Server(cluster.server, await new CredentialSource(config, systemClock).credentials());
  }

  /** Sends the steps one after the other; each answer is there for the steps after it. */
  async send(steps: readonly Step[], namespace: string, earlier: readonly Answer[] = []): Promise<Answer[]> {
    const answers = [...earlier];
    for (const step of steps) {
      const made = typeof step === "function" ? step(answers) : step;
      answers.push(await this.sendUntil(inNamespace(made, namespace), namespace, answers));
    }
    return answers.slice(earlier.length);
  }

  close(): Promise<void> {
    return this.connections.destroy();
  }

  private sendUntil(made: Request, namespace: string, earlier: readonly Answer[]): Promise<Answer> {
    const { until } = made;
    if (until === undefined) return this.sendOne(made, namespace, earlier);
    return eventually(async () => {
      const answer = await this.sendOne(made, namespace, earlier);
      if (until(answer)) return answer;
      throw new Error(`${made.method} ${made.path} was awaited in vain: ${JSON.stringify(answer.body)}`);
    }, controllerPatienceMs);
  }

  private async sendOne(made: Request, namespace: string, earlier: readonly Answer[]): Promise<Answer> {
    const stopping = new AbortController();
    const { method, body, type = "application/json", accept = "application/json", agent = "parity/1" } = made;
    const { ifNoneMatch } = made;
    const answer = await request(this.url + made.path, {
      method: method as "GET",
      dispatcher: this.connections,
      signal: stopping.signal,
      headers: {
        accept,
        "user-agent": agent,
        ...this.headers,
        ...(ifNoneMatch !== undefined && { "if-none-match": ifNoneMatch }),
        ...(body !== undefined && { "content-type": type }),
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const { warning } = answer.headers;
    const headers = {
      contentType: String(answer.headers["content-type"]),
      // HTTP/2 joins what HTTP/1.1 repeats.
      warnings: warning === undefined ? "" : [warning].flat().join(", "),
    };
    if (made.watch && answer.statusCode === 200) {
      const acting = this.send(made.watch.during, namespace, earlier);
      const events = await eventsOf(answer.body, made.watch.events, stopping);
      return { code: 200, headers, body: { events, during: (await acting).map(({ code }) => code) } };
    }
    const text = await answer.body.text();
    const whole: unknown = headers.contentType.includes("json") && text !== "" ? JSON.parse(text) : text;
    const { etag, location } = answer.headers;
    return {
      code: answer.statusCode,
      headers,
      body: made.part ? made.part(whole) : whole,
      ...(etag !== undefined && { etag: String(etag) }),
      ...(location !== undefined && { location: String(location) }),
    };
  }
}

function inNamespace(made: Request, namespace: string): Request {
  const { path, body } = made;
  const replaced = (text: string): string => text.replaceAll("{ns}", namespace);
  if (body === undefined) return { ...made, path: replaced(path) };
  const filled: unknown = typeof body === "string" ? replaced(body) : JSON.parse(replaced(JSON.stringify(body)));
  return { ...made, path: replaced(path), body: filled };
}

/** The events of a watch until there are enough or the server ends it; bookmarks that only tell the time are left out. */
async function eventsOf(body: AsyncIterable<Buffer>, enough: number, stopping: AbortController): Promise<unknown[]> {
  const events: unknown[] = [];
  const impatience = setTimeout(
    () => stopping.abort(new Error(`a watch sent only ${events.length} of ${enough} events`)),
    watchPatienceMs,
  );
  let rest = "";
  try {
    for await (const chunk of body) {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      events.push(
        ...lines
          .filter(Boolean)
          .map((line) => JSON.parse(line) as unknown)
          .filter((event) => !isPlainBookmark(event)),
      );
      if (events.length >= enough) break;
    }
  } finally {
    clearTimeout(impatience);
    stopping.abort();
  }
  return events;
}

function isPlainBookmark(event: unknown): boolean {
  const { type, object } = event as { type: string; object: { metadata?: { annotations?: object } } };
  return type === "BOOKMARK" && object.metadata?.annotations === undefined;
}

export interface Servers {
  readonly embedded: Server;
  readonly real: Server;
  close(): Promise<void>;
}

/** The embedded API server, and the real one that KUBECONFIG names or that starts from the binaries in KUBEBUILDER_ASSETS. */
export async function startServers(): Promise<Servers> {
  const stack = new AsyncDisposableStack();
  try {
    const real = await Server.connect(await realKubeconfig(stack));
    stack.defer(() => real.close());
    const embedded = await Server.connect(await startEmbeddedApiServer(stack));
    stack.defer(() => embedded.close());
    return { embedded, real, close: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function realKubeconfig(stack: AsyncDisposableStack): Promise<string> {
  const { KUBECONFIG, KUBEBUILDER_ASSETS } = process.env;
  if (KUBECONFIG) return KUBECONFIG;
  if (!KUBEBUILDER_ASSETS) throw new Error("the parity suite needs a real API server: run it by `npm run test:parity`");
  const controlPlane = await startControlPlane(KUBEBUILDER_ASSETS, { controllers: false });
  stack.defer(() => controlPlane.close());
  return controlPlane.kubeconfig;
}
