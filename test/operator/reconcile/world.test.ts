import { expect } from "chai";
import { LABELS } from "../../../operator/api/names.ts";
import { systemClock } from "../../../operator/kube/clock.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import type { KubeClient } from "../../../operator/kube/transport.ts";
import type { WatchEvent } from "../../../operator/kube/watch-stream.ts";
import { World } from "../../../operator/reconcile/world.ts";
import { RecordingLog } from "../kube/recording-log.ts";

/** Lists by their path, and watches that tell what a test says. */
class Collections implements KubeClient {
  readonly #listed = new Map<string, KubeObject[]>();
  readonly #watches = new Map<string, TransformStream<WatchEvent, WatchEvent>>();

  list(plural: string, ...objects: KubeObject[]): void {
    this.#listed.set(plural, objects);
  }

  async tell(plural: string, event: WatchEvent): Promise<void> {
    const writer = this.#watch(plural).writable.getWriter();
    await writer.write(event);
    writer.releaseLock();
  }

  async request<T>(_method: string, path: string): Promise<T> {
    const items = this.#listed.get(pluralOf(path)) ?? [];
    return { metadata: { resourceVersion: "1" }, items } as T;
  }

  async *stream(path: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<WatchEvent> {
    const reader = this.#watch(pluralOf(path)).readable.getReader();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    for (;;) {
      const { value } = await Promise.race([reader.read(), aborted]);
      if (value === undefined) return;
      yield value;
    }
  }

  #watch(plural: string): TransformStream<WatchEvent, WatchEvent> {
    return this.#watches.getOrInsertComputed(plural, () => new TransformStream());
  }
}

const pluralOf = (path: string): string => path.split("/").at(-1) ?? "";

function seen(kind: string, name: string, resourceVersion: string, more: object = {}): KubeObject {
  const labels = { [LABELS.modelDeployment]: "loan" };
  return {
    apiVersion: "v1",
    kind,
    metadata: { name, namespace: "credit", uid: name, resourceVersion, labels },
    ...more,
  };
}

describe("World", () => {
  let cluster: Collections;
  let world: World;
  let told: string[];
  let isTold: () => void;

  beforeEach(() => {
    cluster = new Collections();
    world = new World({ client: cluster, namespaces: "all", clock: systemClock, log: new RecordingLog() });
    told = [];
    world.onChange(({ name }, { priority, afterMs }) => {
      told.push(`${name} ${priority}${afterMs === undefined ? "" : ` after ${afterMs}`}`);
      isTold();
    });
    isTold = () => {};
  });
  afterEach(() => world.stop());

  async function after(plural: string, event: WatchEvent): Promise<string[]> {
    const from = told.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    isTold = resolve;
    await Promise.all([cluster.tell(plural, event), promise]);
    return told.slice(from);
  }

  it("lets what is new wait for what changed or went, and what explains for what else comes", async () => {
    cluster.list("modeldeployments", seen("ModelDeployment", "loan", "1"));
    world.start();
    await world.synced();
    expect(told).to.deep.equal(["loan low"]);
    const pod = seen("Pod", "loan-v1-a", "2");
    expect(await after("pods", { type: "ADDED", object: pod })).to.deep.equal(["loan low after 1000"]);
    const running = seen("Pod", "loan-v1-a", "3", { status: { phase: "Running" } });
    expect(await after("pods", { type: "MODIFIED", object: running })).to.deep.equal(["loan normal after 1000"]);
    const edited = seen("ModelDeployment", "loan", "4", { spec: { suspend: true } });
    expect(await after("modeldeployments", { type: "MODIFIED", object: edited })).to.deep.equal(["loan normal"]);
  });

  it("does not tell of its own status, and does of what somebody else writes after it", async () => {
    cluster.list("modeldeployments", seen("ModelDeployment", "loan", "1"));
    world.start();
    await world.synced();
    const written = seen("ModelDeployment", "loan", "2", { status: { phase: "Serving" } });
    world.remember(written);
    const erased = seen("ModelDeployment", "loan", "3");
    await cluster.tell("modeldeployments", { type: "MODIFIED", object: written });
    await after("modeldeployments", { type: "MODIFIED", object: erased });
    expect(told).to.deep.equal(["loan low", "loan normal"]);
  });

  it("keeps how a pod is, and not what it is made of", async () => {
    cluster.list("modeldeployments", seen("ModelDeployment", "loan", "1"));
    const made = { spec: { containers: [] }, status: { phase: "Running" } };
    cluster.list("pods", seen("Pod", "loan-v1-a", "1", made));
    world.start();
    await world.synced();
    const [pod] = world.observe({ namespace: "credit", name: "loan" })?.pods ?? [];
    expect(pod)
      .to.deep.include({ status: { phase: "Running" } })
      .and.not.have.property("spec");
  });
});
