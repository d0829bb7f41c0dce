import { randomBytes } from "node:crypto";
import { eventually } from "../support/eventually.ts";
import { differences, Normaliser } from "./normalise.ts";
import type { Difference } from "./normalise.ts";
import { post } from "./request.ts";
import type { Step } from "./request.ts";
import { startServers } from "./servers.ts";
import type { Server, Servers } from "./servers.ts";

/** A sentence, and the requests that it is about: sent in this order, every answer compared. */
export type Case = readonly [title: string, ...steps: Step[]];

/** A case in which the servers differ in exactly these places, and why that is left so. */
interface KnownDifference {
  readonly because: string;
  /** `step 2 body.status.phase`; `[*]` stands for any index. */
  readonly at: readonly string[];
  readonly of: Case;
}

/**
 * Makes a test of each case: the same requests to both servers, in a namespace of the case's own, must get the same answers.
 * `prepare` is sent before, until its last request finds what all cases build on, such as a CRD that is served.
 * `start` makes the servers: without controllers, unless it says otherwise.
 */
export function compareServers(
  subject: string,
  cases: readonly Case[],
  known: readonly KnownDifference[] = [],
  prepare: readonly Step[] = [],
  start: () => Promise<Servers> = startServers,
): void {
  describe(`the embedded API server as the real one: ${subject}`, function () {
    this.timeout(180_000); // controllers look again after half a minute at what was not gone
    const run = randomBytes(3).toString("hex");
    let servers: Servers;
    let requests = 0;
    let namespaces = 0;

    const compare = async (steps: readonly Step[]): Promise<Difference[]> => {
      const namespace = `parity-${run}-${++namespaces}`;
      const [embedded, real] = await Promise.all(
        [servers.embedded, servers.real].map((server) => answersOf(server, steps, namespace)),
      );
      requests += steps.length;
      return (embedded ?? []).flatMap((answer, index) => differences(answer, real?.[index], `step ${index + 1}`));
    };

    before(async () => {
      servers = await start();
      for (const server of [servers.embedded, servers.real]) await prepared(server, prepare);
    });
    after(async () => {
      await servers?.close();
      console.log(`      ${requests} requests compared`);
    });

    for (const [title, ...steps] of cases) {
      it(title, async () => {
        const found = await compare(steps);
        if (found.length > 0) throw new Error(`the answers differ\n${found.map(described).join("\n")}`);
      });
    }
    for (const { because, at, of } of known) {
      const [title, ...steps] = of;
      it(`but not: ${title} (${because})`, async () => {
        const found = await compare(steps);
        const places = found.map(({ path }) => path.replace(/\[\d+\]/g, "[*]").replace(" body", ""));
        const unexpected = found.filter((_, index) => !at.some((place) => isAt(places[index] ?? "", place)));
        const gone = at.filter((place) => !places.some((path) => isAt(path, place)));
        if (unexpected.length > 0)
          throw new Error(`more differs than is known\n${unexpected.map(described).join("\n")}`);
        if (gone.length > 0) throw new Error(`no difference any more at ${gone.join(", ")}: take it off the list`);
      });
    }
  });
}

async function prepared(server: Server, steps: readonly Step[]): Promise<void> {
  for (const { code, body } of await server.send(steps.slice(0, -1), "default"))
    if (code !== 201 && code !== 409) throw new Error(`preparing the cases: ${JSON.stringify(body)}`);
  await eventually(async () => {
    const [last] = await server.send(steps.slice(-1), "default");
    if (last && last.code !== 200) throw new Error(`preparing the cases: ${JSON.stringify(last.body)}`);
  }, 30_000);
}

async function answersOf(server: Server, steps: readonly Step[], namespace: string): Promise<unknown[]> {
  const [made] = await server.send([post("/api/v1/namespaces", { metadata: { name: namespace } })], namespace);
  if (made?.code !== 201) throw new Error(`making namespace ${namespace}: ${JSON.stringify(made?.body)}`);
  const normaliser = new Normaliser();
  return (await server.send(steps, namespace)).map((answer) => normaliser.answer(answer));
}

function described({ path, embedded, real }: Difference): string {
  return `  ${path}\n    embedded ${JSON.stringify(embedded)}\n    real     ${JSON.stringify(real)}`;
}

function isAt(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}.`) || path.startsWith(`${place}[`);
}
