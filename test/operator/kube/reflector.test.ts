import type { ServerResponse } from "node:http";
import { expect } from "chai";
import { deployments, type KubeObject } from "../../../operator/kube/objects.ts";
import { Reflector } from "../../../operator/kube/reflector.ts";
import { KubeTransport } from "../../../operator/kube/transport.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { eventually } from "./eventually.ts";
import { RecordingLog } from "./recording-log.ts";
import { kubeConfigFor, type ReceivedRequest, ScriptedServer, sendJson, sendStatus } from "./scripted-server.ts";

/** What the sink was told: `=a,b` all there is, `+a` put, `-a` removed. */
type Told = string[];

describe("Reflector", () => {
  let clock: FakeClock;
  let log: RecordingLog;
  const cleanUp: (() => Promise<void>)[] = [];

  beforeEach(() => {
    clock = new FakeClock();
    log = new RecordingLog();
  });

  afterEach(async () => {
    for (const step of cleanUp.splice(0)) await step();
  });

  /** Reflects a server whose lists and watches answer, one after the other, as told; further ones stay silent. */
  async function reflect(script: { lists?: Answer[]; watches?: Answer[] }, more: { labelSelector?: string } = {}) {
    const lists: ReceivedRequest[] = [];
    const watches: ReceivedRequest[] = [];
    const server = await ScriptedServer.start((request, response) => {
      const [seen, answers, fallback] =
        request.query.get("watch") === "true"
          ? ([watches, script.watches, silence] as const)
          : ([lists, script.lists, list([])] as const);
      seen.push(request);
      (answers?.[seen.length - 1] ?? fallback)(response, request);
    });
    const transport = new KubeTransport(kubeConfigFor(server.url), { userAgent: "tests", random: () => 0 });
    const told: Told = [];
    const objects: KubeObject[] = [];
    const reflector = new Reflector({
      client: transport,
      type: deployments,
      namespace: "credit",
      ...more,
      sink: {
        replace: (all) => {
          objects.push(...all);
          told.push(`=${all.map(nameOf).join(",")}`);
        },
        put: (object) => {
          objects.push(object);
          told.push(`+${nameOf(object)}`);
        },
        remove: (object) => told.push(`-${nameOf(object)}`),
      },
      clock,
      log,
      random: () => 0,
    });
    const stopping = new AbortController();
    const running = reflector.run(stopping.signal);
    const stop = async () => {
      stopping.abort();
      await running;
    };
    cleanUp.push(
      stop,
      () => transport.close(),
      () => server[Symbol.asyncDispose](),
    );
    /** Waits for the n-th watch, letting backoffs pass. */
    const watched = async (count: number) => {
      await eventually(`watch ${count} began`, () => {
        if (watches.length < count) void clock.advance(50);
        return watches.length >= count;
      });
      return watches[count - 1]!.query;
    };
    return { lists, watches, told, objects, watched, stop };
  }

  it("lists, then watches from there with bookmarks and a spread end", async () => {
    const { told, lists, watched } = await reflect(
      { lists: [list(["a", "b"], { resourceVersion: "7" })], watches: [keepOpen(event("ADDED", "c", "8"))] },
      { labelSelector: "app=loan" },
    );
    const query = await watched(1);
    await eventually("c arrived", () => told.length === 2);
    expect(told).to.deep.equal(["=a,b", "+c"]);
    expect(lists[0]).to.have.property("path", "/apis/apps/v1/namespaces/credit/deployments");
    expect(Object.fromEntries(lists[0]!.query)).to.deep.equal({ limit: "200", labelSelector: "app=loan" });
    expect(Object.fromEntries(query)).to.deep.equal({
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: "7",
      timeoutSeconds: "300",
      labelSelector: "app=loan",
    });
  });

  it("gives listed objects their kind, as watched ones have it", async () => {
    const { objects, watched } = await reflect({ lists: [list(["a"])] });
    await watched(1);
    expect(objects[0]).to.include({ apiVersion: "apps/v1", kind: "Deployment" });
  });

  it("reads a list in pages", async () => {
    const { told, lists, watched } = await reflect({
      lists: [list(["a"], { continue: "next" }), list(["b"], { resourceVersion: "7" })],
    });
    expect((await watched(1)).get("resourceVersion")).to.equal("7");
    expect(told).to.deep.equal(["=a,b"]);
    expect(lists[1]!.query.get("continue")).to.equal("next");
  });

  it("reads a list in one piece when its pages expired on the way", async () => {
    const { told, lists, watched } = await reflect({
      lists: [list(["a"], { continue: "next" }), refuse(410, "Expired"), list(["a", "b"])],
    });
    await watched(1);
    expect(told).to.deep.equal(["=a,b"]);
    expect(lists[2]!.query.has("limit")).to.equal(false);
  });

  for (const [title, answer] of [
    ["ends", send(event("ADDED", "a", "8"))],
    ["ends within a line", send(event("ADDED", "a", "8"), '{"type":"MODIFIED","obj')],
    ["breaks", breakAfter(event("ADDED", "a", "8"))],
  ] as const) {
    it(`resumes from the last event when a watch ${title}, without listing again`, async () => {
      const { lists, watched } = await reflect({ watches: [answer] });
      expect((await watched(2)).get("resourceVersion")).to.equal("8");
      expect(lists.length).to.equal(1);
    });
  }

  it("resumes from a bookmark, and tells nobody of it", async () => {
    const { told, watched } = await reflect({ watches: [breakAfter(event("BOOKMARK", "", "500"))] });
    expect((await watched(2)).get("resourceVersion")).to.equal("500");
    expect(told).to.deep.equal(["="]);
  });

  for (const [title, answer] of [
    ["as an event", send(errorEvent(410, "Expired"))],
    ["as an answer", refuse(410, "Gone")],
  ] as const) {
    it(`lists again when the watch's resourceVersion is too old, said ${title}`, async () => {
      const { told, watched } = await reflect({
        lists: [list(["a"], { resourceVersion: "1" }), list(["b"], { resourceVersion: "900" })],
        watches: [answer],
      });
      expect((await watched(2)).get("resourceVersion")).to.equal("900");
      expect(told).to.deep.equal(["=a", "=b"]);
    });
  }

  it("does not list again after an API server that could not be reached: all its clients would do so at once", async () => {
    const unreachable = Array.from({ length: 5 }, () => breakAfter());
    const { told, watched } = await reflect({ lists: [list(["a"], { resourceVersion: "9" })], watches: unreachable });
    expect((await watched(6)).get("resourceVersion")).to.equal("9");
    expect(told).to.deep.equal(["=a"]);
  });

  it("does not list again for refusals that lie apart", async () => {
    const refused = refuse(500, "InternalError");
    const works = breakAfter(event("ADDED", "a", "8"));
    const { lists, watched } = await reflect({ watches: [refused, refused, works, refused, refused] });
    await watched(6);
    expect(lists.length).to.equal(1);
  });

  it("lists again when a watch went by without even a bookmark: so does one from before a restored backup", async () => {
    let end = () => {};
    const silentThenEnds: Answer = (response) => {
      silence(response);
      end = () => response.end();
    };
    const { told, watched } = await reflect({
      lists: [list(["a"], { resourceVersion: "900" }), list(["b"], { resourceVersion: "5" })],
      watches: [silentThenEnds],
    });
    await watched(1);
    await clock.advance(300_000);
    end();
    expect((await watched(2)).get("resourceVersion")).to.equal("5");
    expect(told).to.deep.equal(["=a", "=b"]);
  });

  it("lists again when watches keep being refused: the server may have been restored from a backup", async () => {
    const tooNew = refuse(504, "Timeout");
    const { told, watched } = await reflect({
      lists: [list(["a"], { resourceVersion: "900" }), list(["b"], { resourceVersion: "5" })],
      watches: [tooNew, tooNew, tooNew],
    });
    expect((await watched(4)).get("resourceVersion")).to.equal("5");
    expect(told).to.deep.equal(["=a", "=b"]);
  });

  it("waits longer after each failure, at most 30 s, and afresh after a watch that worked", async () => {
    const failing = Array.from({ length: 9 }, () => refuse(500, "InternalError"));
    const works = breakAfter(event("ADDED", "a", "8"));
    const { watched } = await reflect({ watches: [...failing, works] });
    await watched(11);
    const delays = log.lines.flatMap(({ fields }) => ("delayMs" in fields ? [fields.delayMs] : []));
    expect(delays).to.deep.equal([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 100]);
  });

  it("does not ask in a tight loop a server that ends every watch at once", async () => {
    const { watched } = await reflect({ watches: [send(), send(), send()] });
    await watched(4);
    const delays = log.lines.flatMap(({ fields }) => ("delayMs" in fields ? [fields.delayMs] : []));
    expect(delays).to.deep.equal([100, 200, 400]);
  });

  it("leaves a watch that was silent for longer than the server would let it be, and lists again", async () => {
    const { watches, told, watched } = await reflect({
      lists: [list(["a"], { resourceVersion: "900" }), list(["b"], { resourceVersion: "5" })],
      watches: [silence],
    });
    await watched(1);
    await eventually("the watch is read", () => clock.pendingTimers === 1);
    await clock.advance(329_000);
    expect(watches.length).to.equal(1);
    expect((await watched(2)).get("resourceVersion")).to.equal("5");
    expect(told).to.deep.equal(["=a", "=b"]);
    expect(log.lines[0]!.fields).to.have.nested.property("err.reason", "Stalled");
  });

  it("believes a watch for as long as it hears from it", async () => {
    let tell: (version: string) => void = () => {};
    const { watches, told, watched } = await reflect({
      watches: [
        (response) => {
          silence(response);
          tell = (version) => response.write(event("MODIFIED", "a", version));
        },
      ],
    });
    await watched(1);
    for (let passed = 1; passed <= 4; passed++) {
      await clock.advance(200_000);
      tell(String(passed));
      await eventually("the event arrived", () => told.length === passed + 1);
    }
    expect(watches.length).to.equal(1);
  });

  it("waits as long as a busy server asks it to, but no longer than 30 s", async () => {
    const busy = (seconds: string): Answer => {
      return (response) => sendStatus(response, 429, "TooManyRequests", "busy", { "retry-after": seconds });
    };
    const { watched } = await reflect({ watches: [busy("7"), busy("3600")] });
    await watched(3);
    const delays = log.lines.flatMap(({ fields }) => ("delayMs" in fields ? [fields.delayMs] : []));
    expect(delays).to.deep.equal([7_000, 30_000]);
  });

  it("goes on when its resource does not exist yet, and finds it when it does", async () => {
    const { told, watched } = await reflect({ lists: [refuse(404, "NotFound"), list(["a"])] });
    await watched(1);
    expect(told).to.deep.equal(["=a"]);
  });

  it("stops while it lists, while it watches and while it waits", async () => {
    for (const script of [{ lists: [silence] }, { watches: [silence] }, { lists: [refuse(403, "Forbidden")] }]) {
      const { lists, stop } = await reflect(script);
      await eventually("it began", () => lists.length > 0);
      await stop();
    }
    expect(clock.pendingTimers).to.equal(0);
  });
});

type Answer = (response: ServerResponse, request: ReceivedRequest) => void;

function nameOf(object: KubeObject): string {
  return object.metadata.name;
}

function object(name: string, resourceVersion: string) {
  return { metadata: { name, namespace: "credit", uid: `uid-${name}`, resourceVersion } };
}

function event(type: string, name: string, resourceVersion: string): string {
  return `${JSON.stringify({ type, object: { apiVersion: "apps/v1", kind: "Deployment", ...object(name, resourceVersion) } })}\n`;
}

function errorEvent(code: number, reason: string): string {
  return `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code, reason, message: "no" } })}\n`;
}

function list(
  names: string[],
  { resourceVersion = "1", ...more }: { resourceVersion?: string; continue?: string } = {},
): Answer {
  return (response) =>
    sendJson(response, { metadata: { resourceVersion, ...more }, items: names.map((name) => object(name, "1")) });
}

function refuse(code: number, reason: string): Answer {
  return (response) => sendStatus(response, code, reason, "no");
}

function send(...lines: string[]): Answer {
  return (response) => response.writeHead(200).end(lines.join(""));
}

function keepOpen(...lines: string[]): Answer {
  return (response) => response.writeHead(200).write(lines.join(""));
}

function breakAfter(...lines: string[]): Answer {
  return (response) => response.writeHead(200).write(lines.join(""), () => response.destroy());
}

function silence(response: ServerResponse): void {
  response.writeHead(200).flushHeaders();
}
