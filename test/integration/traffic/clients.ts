import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "undici";

const CLIENTS = 20;
/** Of each client: some hundred requests a second in all, so that what is tested gets most of the processors. */
const BETWEEN_REQUESTS_MS = 25;
const APPLICANT = JSON.stringify({ age: 58, income: 20288, credit_score: 669 });

interface Answer {
  readonly model_version: string;
  readonly model_variant: string;
}

/** Which variant answers each user. Fails at the first request that is not answered. */
export async function predictForUsers(port: number, users: readonly string[]): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  const queue = users.values();
  await withClients(port, async (connection) => {
    for (const user of queue) {
      const { status, text } = await predict(connection, user);
      if (status !== 200) throw new Error(`${user} got ${status}: ${text}`);
      answers.set(user, (JSON.parse(text) as Answer).model_variant);
    }
  });
  return new Map(users.map((user) => [user, answers.get(user) ?? "no answer"]));
}

export interface LoadResult {
  readonly clients: number;
  readonly sent: number;
  readonly failures: readonly string[];
  /** Model versions that answered. */
  readonly versions: ReadonlySet<string>;
}

/** Clients on kept connections predict, each again and again, until `scenario` is over. */
export async function predictWhile(port: number, scenario: () => Promise<void>): Promise<LoadResult> {
  const failures: string[] = [];
  const versions = new Set<string>();
  let sent = 0;
  const over = new AbortController();
  const load = withClients(port, async (connection) => {
    while (!over.signal.aborted) {
      sent += 1;
      try {
        const { status, text } = await predict(connection, `user-${sent}`);
        if (status === 200) versions.add((JSON.parse(text) as Answer).model_version);
        else failures.push(`${status}: ${text}`);
      } catch (error) {
        failures.push(String(error));
      }
      await sleep(BETWEEN_REQUESTS_MS);
    }
  });
  await scenario().finally(() => over.abort());
  await load;
  return { clients: CLIENTS, sent, failures, versions };
}

async function predict(connection: Client, user: string): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await connection.request({
    method: "POST",
    path: "/predict",
    headers: { "content-type": "application/json", "x-user-id": user },
    body: APPLICANT,
  });
  return { status: statusCode, text: await body.text() };
}

async function withClients(port: number, client: (connection: Client) => Promise<void>): Promise<void> {
  const connections = Array.from({ length: CLIENTS }, () => new Client(`http://127.0.0.1:${port}`));
  try {
    await Promise.all(connections.map(client));
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}
