import { Pool } from "undici";
import { VERSION_HEADER } from "../../../operator/traffic/envoy-routes.ts";

export const CONNECTIONS = 16;

export const USERS: readonly string[] = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);

/** Which version each user meets: one request each. */
export async function versionsMet(port: number, users: readonly string[] = USERS): Promise<Map<string, string>> {
  const met = new Map<string, string>();
  await usingPool(port, async (pool) => {
    const queue = users.values();
    const work = async () => {
      for (const user of queue) {
        const { headers, body } = await pool.request({
          method: "GET",
          path: "/predict",
          headers: { "x-user-id": user },
        });
        await body.dump();
        met.set(user, String(headers[VERSION_HEADER]));
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
  });
  return met;
}

export function shareOf(version: string, met: ReadonlyMap<string, string>): number {
  return [...met.values()].filter((other) => other === version).length / met.size;
}

export interface LoadResult {
  readonly sent: number;
  readonly failures: readonly string[];
}

/** POSTs without pause over keep-alive connections until `scenario` is over. */
export async function underLoad(port: number, scenario: () => Promise<void>): Promise<LoadResult> {
  let sent = 0;
  const failures: string[] = [];
  const over = new AbortController();
  await usingPool(port, async (pool) => {
    const work = async (_: unknown, client: number) => {
      while (!over.signal.aborted) {
        sent++;
        const user = `user-${client}-${sent}`;
        try {
          const { statusCode, body } = await pool.request({
            method: "POST",
            path: "/predict",
            headers: { "x-user-id": user },
            body: JSON.stringify({ user }),
          });
          const text = await body.text();
          if (statusCode !== 200) failures.push(`${statusCode} ${text}`);
        } catch (error) {
          failures.push(String(error));
        }
      }
    };
    const clients = Promise.all(Array.from({ length: CONNECTIONS }, work));
    await scenario().finally(() => over.abort());
    await clients;
  });
  return { sent, failures };
}

async function usingPool(port: number, use: (pool: Pool) => Promise<void>): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}
