import { expect } from "chai";
import * as fc from "fast-check";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { byControllerUid, byLabel, Store } from "../../../operator/kube/store.ts";

describe("Store", () => {
  const indexes = { owner: byControllerUid, app: byLabel("app") };

  function object(name: string, { app, owner }: { app?: string; owner?: string } = {}): KubeObject {
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        namespace: "credit",
        name,
        ...(app && { labels: { app } }),
        ...(owner && { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: owner, controller: true }] }),
      },
    };
  }

  it("returns what it replaces and what it removes", () => {
    const store = new Store();
    const [first, second] = [object("a"), object("a")];
    expect(store.put(first)).to.equal(undefined);
    expect(store.put(second)).to.equal(first);
    expect(store.remove({ namespace: "credit", name: "a" })).to.equal(second);
    expect(store.remove({ namespace: "credit", name: "a" })).to.equal(undefined);
  });

  it("finds objects by their controller's uid, and not by another owner's", () => {
    const store = new Store(indexes);
    const owned = object("a", { owner: "uid-1" });
    const bystander = object("b");
    bystander.metadata.ownerReferences = [{ apiVersion: "v1", kind: "X", name: "x", uid: "uid-1" }];
    store.put(owned);
    store.put(bystander);
    expect(store.byIndex("owner", "uid-1")).to.deep.equal([owned]);
  });

  it("finds objects by a label within their namespace", () => {
    const store = new Store(indexes);
    const here = object("a", { app: "loan" });
    const elsewhere = object("a", { app: "loan" });
    elsewhere.metadata.namespace = "other";
    store.put(here);
    store.put(elsewhere);
    expect(store.byIndex("app", "credit/loan")).to.deep.equal([here]);
  });

  it("names its indexes to who asks for another", () => {
    expect(() => new Store(indexes).byIndex("colour", "red")).to.throw(
      'the store has no index "colour"; it has: owner, app',
    );
  });

  it("lets nobody change what it holds", () => {
    const store = new Store<KubeObject>();
    store.put(object("a", { app: "loan" }));
    const [held] = store.list();
    expect(() => (held!.metadata.labels!.app = "other")).to.throw(TypeError);
  });

  it("finds by index exactly what a search through all objects finds, whatever was put and removed", () => {
    const step = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      app: fc.constantFrom("x", "y", undefined),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const store = new Store(indexes);
        for (const { name, app, remove } of steps) {
          if (remove) store.remove({ namespace: "credit", name });
          else store.put(object(name, app === undefined ? {} : { app }));
        }
        for (const app of ["x", "y"]) {
          const found = store.list().filter(({ metadata }) => metadata.labels?.app === app);
          expect(store.byIndex("app", `credit/${app}`)).to.have.members(found);
        }
      }),
    );
  });
});
