import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { ClusterClient } from "../../../local/cluster/client.ts";
import type { KubeObject } from "../../../local/cluster/objects.ts";
import { Snapshots, type Snapshot } from "../../../local/model-folder/snapshots.ts";
import { forgetOldCopies, giveSource, serveFolder } from "../../../local/start/folder-source.ts";
import { applyManifest, readManifests } from "../../../local/start/manifests.ts";
import { ownModel, type ModelFolder } from "../../../local/start/model-to-serve.ts";

const crds = fileURLToPath(new URL("../../../crds", import.meta.url));
const models = "/apis/serving.slipway.dev/v1alpha1/namespaces/default/modeldeployments";

interface Version {
  name: string;
  weight?: number;
  source: { uri: string; sha256?: string };
}

interface Model extends KubeObject {
  spec: { source?: Version["source"]; versions?: Version[]; serving?: object; traffic?: object };
}

describe("a folder's ModelDeployment", () => {
  let scratch: string;
  let server: ApiServer;
  let client: ClusterClient;
  beforeEach(async () => {
    scratch = mkdtempSync(join(tmpdir(), "slipway-folder-"));
    server = await startApiServer();
    client = ClusterClient.plain(server.url);
    for (const crd of readManifests(crds)) await applyManifest(client, crd);
  });
  afterEach(async () => {
    await client.close();
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const save = (content: string, name = "churn"): void => {
    mkdirSync(join(scratch, name), { recursive: true });
    writeFileSync(join(scratch, name, "model.onnx"), content);
  };
  const copy = async (content: string, name = "churn"): Promise<Snapshot> => {
    save(content, name);
    const snapshot = await new Snapshots(join(scratch, "copies", name)).take(join(scratch, name));
    if (snapshot === undefined) throw new Error("nothing was copied");
    return snapshot;
  };
  /** As a start finds it. */
  const folderWith = async (content: string, name = "churn"): Promise<ModelFolder> => {
    const snapshot = await copy(content, name);
    const snapshots = new Snapshots(join(scratch, "copies", name));
    const { folder } = ownModel({ path: join(scratch, name), snapshots, snapshot, edits: noEdits() });
    if (folder === undefined) throw new Error("no folder");
    return folder;
  };
  const get = (): Promise<Model> => client.request<Model>("GET", `${models}/churn`);
  const kubectlApply = async (spec: object, manager = "kubectl"): Promise<void> => {
    const body = {
      apiVersion: "serving.slipway.dev/v1alpha1",
      kind: "ModelDeployment",
      metadata: { name: "churn" },
      spec,
    };
    await client.request("PATCH", `${models}/churn`, { patch: "apply", query: { fieldManager: manager }, body });
  };
  const kubectlEdit = (body: object): Promise<unknown> =>
    client.request("PATCH", `${models}/churn`, { patch: "merge", query: { fieldManager: "kubectl-edit" }, body });
  const split = (first: string, second: string): object => ({
    versions: [
      { name: "v1", weight: 80, source: { uri: first } },
      { name: "v2", weight: 20, source: { uri: second } },
    ],
    traffic: { sticky: { header: "x-user-id" }, service: { type: "LoadBalancer", port: 80 } },
  });
  const elsewhere = "s3://models/churn-2/";

  it("is made of it at the first start", async () => {
    const folder = await folderWith("one");
    expect(await serveFolder(client, folder)).to.deep.equal({ created: true, taken: { is: "taken", version: "v1" } });
    expect((await get()).spec.source).to.deep.equal(folder.snapshot.source);
  });

  it("keeps what others have set when it gets an edit, and at the next start, and it stays theirs", async () => {
    const folder = await folderWith("one");
    await serveFolder(client, folder);
    await kubectlEdit({
      metadata: { labels: { team: "growth" } },
      spec: { serving: { autoscaling: { minReplicas: 2, maxReplicas: 4 } } },
    });
    const edited = await copy("two");
    expect(await giveSource(client, folder, { from: folder.snapshot, to: edited })).to.include({ is: "taken" });
    const after = await get();
    expect(after.spec.source).to.deep.equal(edited.source);
    expect(after.spec.serving).to.deep.include({ autoscaling: { minReplicas: 2, maxReplicas: 4 } });
    const applied = after.metadata.managedFields?.find(({ operation }) => operation === "Apply");
    expect(JSON.stringify(applied?.fieldsV1)).not.to.contain("f:serving").and.not.to.contain("f:team");

    const again = await folderWith("three");
    expect(await serveFolder(client, again)).to.deep.include({ created: false });
    const { metadata, spec } = await get();
    expect(spec).to.deep.equal({ ...after.spec, source: again.snapshot.source });
    expect(metadata.labels).to.deep.equal({ team: "growth" });
  });

  it("keeps what the user has applied as kubectl", async () => {
    const folder = await folderWith("one");
    await serveFolder(client, folder);
    const serving = { autoscaling: { minReplicas: 2, maxReplicas: 4 } };
    await kubectlApply({
      source: folder.snapshot.source,
      serving,
      traffic: { service: { type: "LoadBalancer", port: 81 } },
    });
    const before = await get();
    const again = await folderWith("two");
    await serveFolder(client, again);
    expect((await get()).spec).to.deep.equal({ ...before.spec, source: again.snapshot.source });
  });

  it("can be made a split with kubectl after an edit: the source goes with the file that leaves it out", async () => {
    const folder = await folderWith("one");
    await serveFolder(client, folder);
    await giveSource(client, folder, { from: folder.snapshot, to: await copy("two") });
    await kubectlApply(split("file:///one/", "file:///two/"));
    expect((await get()).spec).not.to.have.property("source");
  });

  for (const [title, uriOf] of [
    ["names the folder itself", () => pathToFileURL(join(scratch, "churn")).href],
    ["names the folder itself with a slash", () => `${pathToFileURL(join(scratch, "churn")).href}/`],
    ["names its last copy", ({ snapshot }: ModelFolder) => snapshot.source.uri],
  ] as const)
    it(`stays the split that the user made of it; the folder is the version that ${title}`, async () => {
      const folder = await folderWith("one");
      await serveFolder(client, folder);
      await kubectlApply(split(uriOf(folder), elsewhere));
      const before = await get();

      const again = await folderWith("two");
      expect(await serveFolder(client, again)).to.deep.equal({ created: false, taken: { is: "taken", version: "v1" } });
      const [first, second] = before.spec.versions ?? [];
      expect((await get()).spec).to.deep.equal({
        ...before.spec,
        versions: [{ ...first, source: again.snapshot.source }, second],
      });

      const edited = await copy("three");
      await giveSource(client, again, { from: again.snapshot, to: edited });
      expect((await get()).spec.versions?.[0]).to.deep.equal({ ...first, source: edited.source });
      await kubectlApply(split(uriOf(folder), elsewhere)); // the file again: no conflict
      expect((await get()).spec).to.deep.equal(before.spec);
    });

  it("follows the copy that was the last, when versions name several", async () => {
    const folder = await folderWith("one");
    await serveFolder(client, folder);
    const second = await copy("two");
    await kubectlApply(split(folder.snapshot.source.uri, second.source.uri));
    const third = await copy("three");
    expect(await giveSource(client, folder, { from: second, to: third })).to.deep.equal({ is: "taken", version: "v2" });
    const { versions } = (await get()).spec;
    expect(versions?.map(({ source }) => source.uri)).to.deep.equal([folder.snapshot.source.uri, third.source.uri]);
  });

  for (const [title, spec, why] of [
    [
      "comes from the folder",
      () => split("hf://acme/churn", elsewhere),
      `none of its versions comes from this folder (v1 from hf://acme/churn, v2 from ${elsewhere})`,
    ],
    [
      "can be told to be the folder's",
      ({ path }: ModelFolder) => split(pathToFileURL(path).href, `${pathToFileURL(path).href}/`),
      "more than one of its versions come from this folder (v1, v2)",
    ],
  ] as const)
    it(`stays as it is, and says why, when no version ${title}`, async () => {
      const folder = await folderWith("one");
      await serveFolder(client, folder);
      await kubectlApply(spec(folder));
      const before = await get();
      const taken = { is: "refused", why };
      expect(await serveFolder(client, await folderWith("two"))).to.deep.equal({ created: false, taken });
      expect(await get()).to.deep.equal(before);
    });

  it("says why it does not take the folder when the API server refuses it", async () => {
    const folder = await folderWith("one");
    await serveFolder(client, folder);
    const source = { uri: "models:/churn/1", sha256: null, mlflow: { trackingUri: "http://mlflow:5000" } };
    await kubectlEdit({ spec: { source } });
    const { taken } = await serveFolder(client, await folderWith("two"));
    expect(taken.is === "refused" && taken.why).to.contain("other sources take no mlflow");
  });

  it("is made again when it was deleted, but not by an edit", async () => {
    const folder = await folderWith("one");
    await serveFolder(client, folder);
    await client.request("DELETE", `${models}/churn`);
    const to = await copy("two");
    const taken = await giveSource(client, folder, { from: folder.snapshot, to });
    expect(taken).to.deep.equal({ is: "refused", why: "ModelDeployment churn was deleted" });
    expect(await serveFolder(client, folder)).to.deep.include({ created: true });
  });

  describe("when old copies are forgotten", () => {
    const kept = (name: string) => readdirSync(join(scratch, "copies", name));
    const copies = async (name: string): Promise<Snapshot[]> => {
      const taken: Snapshot[] = [];
      for (let edit = 0; edit < 12; edit++) {
        const snapshot = await copy(String(edit), name);
        utimesSync(snapshot.path, edit, edit); // a fast machine takes two of them in one millisecond
        taken.push(snapshot);
      }
      return taken;
    };

    it("keeps those that it names, in a version or for a revision, and all of another model", async () => {
      const [inSpec, ofRevision] = await copies("churn");
      const folder = await folderWith("last");
      await folderWith("other", "other");
      await serveFolder(client, folder);
      await kubectlApply(split(inSpec?.source.uri ?? "", elsewhere));
      const revision = { revision: "v1-a", version: "v1", state: "Draining", uri: ofRevision?.source.uri };
      const numbers = { replicas: 1, readyReplicas: 1, weight: { desired: 0, applied: 0 } };
      const status = { revisions: [{ ...revision, ...numbers }] };
      await client.request("PATCH", `${models}/churn/status`, { patch: "merge", body: { status } });

      await forgetOldCopies(client, folder);
      expect(kept("churn")).to.include.members([inSpec, ofRevision, folder.snapshot].map((one) => one?.digest));
      expect(kept("churn")).to.have.lengthOf(12);
      expect(kept("other")).to.have.lengthOf(1);
    });
  });
});

async function* noEdits(): AsyncGenerator<never> {
  // none
}
