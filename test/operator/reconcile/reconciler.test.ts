import { expect } from "chai";
import type { ModelDeploymentSpec } from "../../../operator/api/model-deployment.ts";
import type { KubeObject } from "../../../operator/kube/objects.ts";
import { canonicalJson } from "../../../operator/plan/revision.ts";
import { Stage } from "../../support/operator/reconcile-stage.ts";
import { SETTINGS } from "../../support/operator/simulated-cluster.ts";

const one = (artifact: string, more: Omit<ModelDeploymentSpec, "source"> = {}): ModelDeploymentSpec => ({
  source: { uri: `s3://models/v1/${artifact}/` },
  ...more,
});

/** Of a write such as `PATCH Service/loan`. */
const kindOf = (write: string): string => write.slice("PATCH ".length, write.indexOf("/"));

describe("Reconciler", () => {
  it("writes the front Service, which carries the record, before all else and the status last", async () => {
    const writes = await new Stage(one("a")).reconcile();
    expect(writes[0]).to.equal("PATCH Service/loan");
    expect(writes.slice(1, -1)).to.have.length.greaterThan(2);
    expect(writes.at(-1)).to.equal("PATCH status of ModelDeployment/loan");
  });

  it("lets other new objects get their front Services, and then all that makes no pods, before it makes Deployments", async () => {
    const stage = new Stage(one("a"));
    const behindOthers = { requeueAfterMs: 0, priority: "low" };
    expect(await stage.pass()).to.deep.equal(["PATCH Service/loan"]);
    expect(stage.lastResult).to.deep.equal(behindOthers);
    expect((await stage.pass()).map(kindOf)).to.deep.equal(["Service", "PodDisruptionBudget"]);
    expect(stage.lastResult).to.deep.equal(behindOthers);
    expect((await stage.pass()).map(kindOf)).to.deep.equal(["Deployment", "status of ModelDeployment"]);
    expect(stage.lastResult).to.not.deep.equal(behindOthers);
  });

  it("says what the API server refuses of a new object, and goes on without it", async () => {
    const [other, stage] = [new Stage(one("a")), new Stage(one("a"))];
    for (const each of [other, stage]) await each.pass();
    for (const write of await other.pass()) stage.client.refuse(write.slice("PATCH ".length), 403, "Forbidden");
    await stage.pass();
    expect(stage.reason("Stalled")).to.equal("Refused");
    await stage.pass();
    expect(stage.deployments).to.have.length(1);
  });

  it("writes nothing when all is as it should be", async () => {
    const stage = await new Stage(one("a")).live();
    await stage.reconcile();
    expect(await stage.reconcile()).to.deep.equal([]);
    expect(stage.reason("Ready")).to.equal("Live");
  });

  it("writes a child that somebody deleted again, and nothing else", async () => {
    const stage = await new Stage(one("a")).live();
    await stage.reconcile();
    const budget = [...stage.client.objects.keys()].find((key) => key.startsWith("PodDisruptionBudget/"));
    stage.client.objects.delete(budget ?? "");
    expect(await stage.reconcile()).to.deep.equal([`PATCH ${budget}`]);
  });

  it("tells of what happened by Events, each once", async () => {
    const stage = await new Stage(one("a")).live();
    await stage.reconcile();
    expect(stage.events).to.deep.equal(["RevisionCreated", "Ready"]);
  });

  it("does nothing after a record that could not be written because somebody else wrote the Service", async () => {
    const stage = await new Stage(one("a")).live();
    stage.change(one("b"));
    stage.client.refuse("Service/loan", 409, "Conflict");
    const from = stage.client.writes.length;
    const failure = await stage.reconcile().catch((error: unknown) => error);
    expect(failure).to.be.an("error").with.property("reason", "Conflict");
    expect(stage.client.writes.slice(from)).to.deep.equal(["PATCH Service/loan"]);
  });

  it("does nothing but say so when the API server refuses the record", async () => {
    const stage = await new Stage(one("a")).live();
    stage.change(one("b"));
    stage.client.refuse("Service/loan", 403, "Forbidden", "denied by policy");
    expect(await stage.reconcile()).to.deep.equal(["PATCH Service/loan", "PATCH status of ModelDeployment/loan"]);
    expect(stage.reason("Stalled")).to.equal("Refused");
  });

  it("acts on no decision of which the record was refused, however long it takes", async () => {
    const stage = await new Stage(one("a")).live();
    const [old] = stage.deployments;
    stage.change(one("b"));
    await stage.reconcile();
    stage.podsBecomeReady();
    stage.client.refuse("Service/loan", 403, "Forbidden", "denied by policy");
    for (let passes = 0; passes < 4; passes += 1) {
      await stage.reconcile();
      await stage.clock.advance(SETTINGS.scaleDownDelayMs);
    }
    expect(stage.deployments, "the front Service still selects its pods").to.include(old);
    stage.client.accept("Service/loan");
    await stage.reconcile();
    expect(stage.deployments, "it has only begun to drain").to.include(old);
    await stage.clock.advance(SETTINGS.scaleDownDelayMs);
    await stage.reconcile();
    expect(stage.deployments).to.not.include(old);
  });

  it("overwrites nothing that is somebody else's, and removes nothing while it is in the way", async () => {
    const stage = new Stage(one("a"));
    const theirs = { apiVersion: "v1", kind: "Service", metadata: { name: "loan", namespace: "credit" }, spec: {} };
    stage.client.put(theirs);
    expect(await stage.reconcile()).to.deep.equal(["PATCH status of ModelDeployment/loan"]);
    expect(stage.reason("Ready")).to.equal("NotOwned");
    expect(stage.client.objects.get("Service/loan")).to.deep.include({ spec: {} });
    expect(await stage.reconcile()).to.deep.equal([]);
  });

  it("looks again soon while something is in the way of which no watch tells, and not otherwise", async () => {
    const refused = new Stage(one("a"));
    refused.client.refuse("Service/loan", 403, "Forbidden");
    await refused.reconcile();
    expect(refused.lastResult.requeueAfterMs).to.be.within(1_000, 60_000);
    const live = await new Stage(one("a")).live();
    await live.reconcile();
    expect(live.lastResult).to.deep.equal({});
  });

  it("removes what has drained, and only that", async () => {
    const stage = await new Stage(one("a")).live();
    const [old] = stage.deployments;
    stage.change(one("b"));
    await stage.live();
    expect(stage.deployments).to.have.length(2);
    await stage.clock.advance(SETTINGS.scaleDownDelayMs);
    const writes = await stage.reconcile();
    expect(writes.filter((write) => write.startsWith("DELETE"))).to.include(`DELETE ${old}`);
    expect(stage.deployments).to.have.length(1);
    expect(stage.client.objects.has("Service/loan")).to.equal(true);
  });

  it("writes nothing but the status of a suspended object", async () => {
    const stage = await new Stage(one("a")).live();
    stage.change(one("b", { suspend: true }));
    expect(await stage.reconcile()).to.deep.equal(["PATCH status of ModelDeployment/loan"]);
    expect(stage.object?.status?.phase).to.equal("Suspended");
    expect(await stage.reconcile()).to.deep.equal([]);
  });

  it("writes nothing but the status of an object whose spec breaks a rule, and names the field", async () => {
    const stage = await new Stage(one("a")).live();
    stage.change({ source: { uri: "ftp://models" } });
    expect(await stage.reconcile()).to.deep.equal(["PATCH status of ModelDeployment/loan"]);
    expect(stage.reason("Stalled")).to.equal("InvalidSpec");
    expect(await stage.reconcile()).to.deep.equal([]);
  });

  it("goes on from the annotation when the status is lost, and from the status when the annotation is", async () => {
    for (const lost of ["status", "annotation"]) {
      const stage = await new Stage(one("a")).live();
      const front = stage.client.objects.get("Service/loan")!;
      if (lost === "status") stage.client.put({ ...stage.object!, status: {} } as KubeObject);
      else stage.client.put({ ...front, metadata: { ...front.metadata, annotations: {} } });
      await stage.reconcile();
      expect(stage.reason("Ready"), `without the ${lost}`).to.equal("Live");
    }
  });

  it("keeps what serves when both copies of the record are lost, until the spec changes", async () => {
    const stage = await new Stage(one("a")).live();
    const front = stage.client.objects.get("Service/loan")!;
    stage.client.put({ ...front, metadata: { ...front.metadata, annotations: {} } });
    stage.client.put({ ...stage.object!, status: {} } as KubeObject);
    expect(await stage.reconcile()).to.deep.equal(["PATCH status of ModelDeployment/loan"]);
    expect(stage.reason("Stalled")).to.equal("StateLost");
    expect(await stage.reconcile()).to.deep.equal([]);
    stage.change(one("a", { serving: { replicas: 2 } }));
    await stage.live();
    expect(stage.reason("Ready")).to.equal("Live");
  });

  describe("of an object whose record was lost, and then gets another source", () => {
    const two = (v2: string): ModelDeploymentSpec => ({
      versions: [
        { name: "v1", weight: 80, source: { uri: "s3://models/v1/a/" } },
        {
          name: "v2",
          weight: 20,
          source: { uri: `s3://models/v2/${v2}/` },
          serving: { autoscaling: { maxReplicas: 3 } },
        },
      ],
    });

    async function lost(spec: ModelDeploymentSpec, next: ModelDeploymentSpec): Promise<Stage> {
      const stage = await new Stage(spec).live();
      const front = stage.client.objects.get("Service/loan")!;
      stage.client.put({ ...front, metadata: { ...front.metadata, annotations: {} } });
      stage.client.put({ ...stage.object!, status: {} } as KubeObject);
      await stage.reconcile();
      expect(stage.reason("Stalled")).to.equal("StateLost");
      stage.change(next);
      return stage;
    }

    it("goes from the revision that the Service selects to the new one once that is ready, and lets the old one drain", async () => {
      const stage = await lost(one("a", { serving: { replicas: 3 } }), one("b", { serving: { replicas: 3 } }));
      const [old] = stage.deployments;
      const before = stage.client.objects.get(old ?? "");
      const selector = () => (stage.client.objects.get("Service/loan") as KubeObject & { spec: object }).spec;
      const selected = structuredClone(selector());
      await stage.reconcile();
      expect(stage.deployments).to.have.length(2);
      expect(stage.client.objects.get(old ?? ""), "what serves").to.deep.equal(before);
      expect(selector()).to.deep.equal(selected);
      await stage.live();
      expect(selector()).to.not.deep.equal(selected);
      expect(stage.deployments).to.include(old);
      await stage.clock.advance(SETTINGS.scaleDownDelayMs);
      await stage.reconcile();
      expect(stage.deployments).to.have.length(1).and.not.include(old);
    });

    it("keeps the split that the routers were given, and the pods that it needs, until all is ready for the next", async () => {
      const stage = await lost(two("a"), two("b"));
      const field = (key: string, name: string): string =>
        canonicalJson((stage.client.objects.get(key) as KubeObject & { [name: string]: unknown })[name]);
      const split = (): string | undefined =>
        /weighted_clusters.*?timeout/s.exec(field("ConfigMap/loan-traffic", "data"))?.[0];
      const template = (key: string): string => field(key, "spec").replace(/"replicas":\d+,/, "");
      const [deployments, shares] = [stage.deployments, split()];
      const templates = deployments.map(template);
      await stage.reconcile();
      stage.podsBecomeReady();
      await stage.reconcile();
      expect(stage.deployments)
        .to.include.members(deployments)
        .and.have.length(deployments.length + 1);
      expect(deployments.map(template)).to.deep.equal(templates);
      expect(split()).to.equal(shares).and.to.be.a("string");
      expect(stage.object?.status).to.include({ step: "Routers", split: "v1:80 v2:20" });
    });
  });

  it("leaves an object that is being deleted to the garbage collector", async () => {
    const stage = new Stage(one("a"));
    const { metadata, ...rest } = stage.object!;
    stage.client.put({ ...rest, metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } });
    expect(await stage.reconcile()).to.deep.equal([]);
  });

  describe("of a version that follows an alias", () => {
    const trackingUri = "https://mlflow.example.com";
    const aliased = (more: Omit<ModelDeploymentSpec, "source"> = {}): ModelDeploymentSpec => ({
      source: { uri: "models:/Loan@champion", mlflow: { trackingUri } },
      ...more,
    });
    const uris = (stage: Stage): string[] =>
      stage.deployments.map((key) => {
        const text = JSON.stringify(stage.client.objects.get(key));
        return /"MODEL_URI","value":"([^"]*)"/.exec(text)?.[1] ?? "";
      });

    it("writes nothing before the registry has answered", async () => {
      const stage = new Stage(aliased());
      expect(await stage.reconcile()).to.deep.equal([]);
      expect(stage.followed).to.deep.equal([{ trackingUri, namespace: "credit", model: "Loan", alias: "champion" }]);
    });

    it("pins the version that the alias names, in the pods and in the status, which shows its digest too", async () => {
      const stage = new Stage(aliased());
      stage.alias = { version: "7" };
      stage.loaded = { sha256: "7".repeat(64) };
      await stage.live();
      expect(uris(stage)).to.deep.equal(["models:/Loan/7"]);
      expect(stage.object?.status?.revisions?.[0]).to.include({
        uri: "models:/Loan@champion",
        artifact: "models:/Loan/7",
        sha256: "7".repeat(64),
      });
    });

    it("makes a new revision when the alias moves, and lets the old one drain", async () => {
      const stage = new Stage(aliased());
      stage.alias = { version: "7" };
      await stage.live();
      stage.alias = { version: "8" };
      await stage.live();
      expect(uris(stage)).to.have.members(["models:/Loan/7", "models:/Loan/8"]);
      await stage.clock.advance(SETTINGS.scaleDownDelayMs);
      await stage.reconcile();
      expect(uris(stage)).to.deep.equal(["models:/Loan/8"]);
    });

    it("changes nothing that serves while the registry is away, also after a restart, and says that it is", async () => {
      const stage = new Stage(aliased());
      stage.alias = { version: "7" };
      await stage.live();
      await stage.reconcile();
      stage.alias = {}; // a new process that has not been answered yet
      expect(await stage.reconcile()).to.deep.equal([]);
      stage.alias = { problem: { reason: "RegistryUnavailable", message: "connect ECONNREFUSED" } };
      expect(await stage.reconcile()).to.deep.equal(["PATCH status of ModelDeployment/loan"]);
      expect(stage.reason("AliasStale")).to.equal("RegistryUnavailable");
      expect(stage.reason("Ready")).to.equal("Live");
      expect(stage.events).to.include("RegistryUnavailable");
      expect(await stage.reconcile()).to.deep.equal([]);
      stage.alias = { version: "7" };
      await stage.reconcile();
      expect(stage.reason("AliasStale")).to.equal(undefined);
    });

    it("creates nothing and says why when the alias is not there", async () => {
      const stage = new Stage(aliased());
      stage.alias = { problem: { reason: "ArtifactNotFound", message: "no such alias" } };
      expect(await stage.reconcile()).to.deep.equal(["PATCH status of ModelDeployment/loan"]);
      expect(stage.reason("Stalled")).to.equal("ArtifactNotFound");
    });

    it("follows it no longer when the object is gone", async () => {
      const stage = new Stage(aliased());
      await stage.reconcile();
      stage.client.objects.delete("ModelDeployment/loan");
      await stage.reconcile();
      expect(stage.followed).to.deep.equal([]);
    });
  });
});
