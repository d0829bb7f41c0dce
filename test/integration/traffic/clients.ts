import { Pool } from "undici";

const CLIENTS = 20;
const APPLICANT = JSON.stringify({ age: 58, income: 20288, credit_score: 669 });

interface Answer {
  readonly model_version: string;
  readonly model_variant: string;
}

/** Which variant answers each user. Fails at the first request that is not answered. */
export async function predictForUsers(port: number, users: readonly string[]): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  const queue = users.values();
  await withClients(port, async (pool) => {
    for (const user of queue) {
      const { status, text } = await predict(pool, user);
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

/** Clients on kept connections predict without pause until `scenario` is over. */
export async function predictWhile(port: number, scenario: () => Promise<void>): Promise<LoadResult> {
  const failures: string[] = [];
  const versions = new Set<string>();
  let sent = 0;
  const over = new AbortController();
  const load = withClients(port, async (pool) => {
    while (!over.signal.aborted) {
      sent += 1;
      try {
        const { status, text } = await predict(pool, `user-${sent}`);
        if (status === 200) versions.add((JSON.parse(text) as Answer).model_version);
        else failures.push(`${status}: ${text}`);
      } catch (error) {
        failures.push(String(error));
      }
    }
  });
  await scenario().finally(() => over.abort());
  await load;
  return { clients: CLIENTS, sent, failures, versions };
}

async function predict(pool: Pool, user: string): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await pool.request({
    method: "POST",
    path: "/predict",
    headers: { "content-type": "application/json", "x-user-id": user },
    body: APPLICANT,
  });
  return { status: statusCode, text: await body.text() };
}

async function withClients(port: number, client: (pool: Pool) => Promise<void>): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CLIENTS });
  try {
    await Promise.all(Array.from({ length: CLIENTS }, () => client(pool)));
  } finally {
    await pool.close();
  }
}
