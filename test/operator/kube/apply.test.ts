import { expect } from "chai";
import { applyStatus, deleteObject, patchMerge, patchStatus, serverSideApply } from "../../../operator/kube/apply.ts";
import { isConflict, isInvalid } from "../../../operator/kube/errors.ts";
import { deployments, type KubeObject } from "../../../operator/kube/objects.ts";
import { KubeTransport } from "../../../operator/kube/transport.ts";
import { kubeConfigFor, ScriptedServer, sendJson } from "./scripted-server.ts";

describe("writing objects", () => {
  const key = { namespace: "credit", name: "loan" };
  const path = "/apis/apps/v1/namespaces/credit/deployments/loan";
  const object: KubeObject = { apiVersion: "apps/v1", kind: "Deployment", metadata: { ...key } };
  let server: ScriptedServer;
  let client: KubeTransport;
  let refusal: { code: number; reason: string; details?: object } | undefined;

  beforeEach(async () => {
    refusal = undefined;
    server = await ScriptedServer.start((_, response) =>
      refusal
        ? sendJson(response, { kind: "Status", message: "no", ...refusal }, refusal.code)
        : sendJson(response, object),
    );
    client = new KubeTransport(kubeConfigFor(server.url), { userAgent: "tests" });
  });

  afterEach(async () => {
    await client.close();
    await server[Symbol.asyncDispose]();
  });

  function sent() {
    const { method, path, query, headers, body } = server.requests[0]!;
    return { method, path, query: Object.fromEntries(query), contentType: headers["content-type"], body };
  }

  it("applies server-side, as one field manager, with unknown fields refused", async () => {
    expect(await serverSideApply(client, deployments, object, { fieldManager: "slipway", force: true })).to.deep.equal(
      object,
    );
    expect(sent()).to.deep.equal({
      method: "PATCH",
      path,
      query: { fieldManager: "slipway", force: "true", fieldValidation: "Strict" },
      contentType: "application/apply-patch+yaml",
      body: object,
    });
  });

  it("applies as a trial when asked to", async () => {
    await serverSideApply(client, deployments, object, { fieldManager: "slipway", force: false, dryRun: true });
    expect(sent().query).to.include({ force: "false", dryRun: "All" });
  });

  it("applies the status through its subresource", async () => {
    await applyStatus(client, deployments, object, { fieldManager: "slipway" });
    expect(sent()).to.deep.include({ path: `${path}/status`, contentType: "application/apply-patch+yaml" });
  });

  it("patches the status only as long as the object is the one that was read", async () => {
    await patchStatus(
      client,
      deployments,
      key,
      { ready: true },
      { fieldManager: "slipway", resourceVersion: "7", uid: "u" },
    );
    expect(sent()).to.deep.equal({
      method: "PATCH",
      path: `${path}/status`,
      query: { fieldManager: "slipway" },
      contentType: "application/merge-patch+json",
      body: { metadata: { resourceVersion: "7", uid: "u" }, status: { ready: true } },
    });
  });

  it("fails as a conflict when the object is another one of that name, which the server calls an invalid patch", async () => {
    const causes = [{ reason: "FieldValueInvalid", message: "field is immutable", field: "metadata.uid" }];
    refusal = { code: 422, reason: "Invalid", details: { causes } };
    const patch = async (uid?: string) =>
      patchMerge(client, deployments, key, {}, { fieldManager: "slipway", uid }).catch((reason: unknown) => reason);
    expect(isConflict(await patch("another"))).to.equal(true);
    expect(isInvalid(await patch())).to.equal(true);
  });

  it("adds preconditions to a patch that has metadata of its own", async () => {
    const patch = { metadata: { annotations: { a: "1" } } };
    await patchMerge(client, deployments, key, patch, { fieldManager: "slipway", resourceVersion: "7" });
    expect(sent().body).to.deep.equal({ metadata: { annotations: { a: "1" }, resourceVersion: "7" } });
  });

  it("deletes only the object that was meant, and its dependents in the background", async () => {
    expect(await deleteObject(client, deployments, key, { uid: "u", resourceVersion: "7" })).to.equal(true);
    expect(sent()).to.deep.include({ method: "DELETE", path });
    expect(sent().body).to.deep.equal({
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      preconditions: { uid: "u", resourceVersion: "7" },
    });
  });

  it("takes an object that is gone for deleted", async () => {
    refusal = { code: 404, reason: "NotFound" };
    expect(await deleteObject(client, deployments, key)).to.equal(false);
  });

  it("says what it was doing, to what, when it fails", async () => {
    refusal = { code: 409, reason: "Conflict" };
    const options = { fieldManager: "slipway" };
    const failures: [string, () => Promise<unknown>][] = [
      [
        "applying Deployment credit/loan: no",
        () => serverSideApply(client, deployments, object, { ...options, force: true }),
      ],
      ["applying the status of Deployment credit/loan: no", () => applyStatus(client, deployments, object, options)],
      ["patching Deployment credit/loan: no", () => patchMerge(client, deployments, key, {}, options)],
      ["patching the status of Deployment credit/loan: no", () => patchStatus(client, deployments, key, {}, options)],
      ["deleting Deployment credit/loan: no", () => deleteObject(client, deployments, key)],
    ];
    for (const [message, attempt] of failures) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(isConflict(error)).to.equal(true);
      expect(error).to.have.property("message", message);
    }
  });

  it("refuses an object without the namespace that its kind needs, before it asks anybody", async () => {
    const homeless = { ...object, metadata: { name: "loan" } };
    const error: unknown = await serverSideApply(client, deployments, homeless, {
      fieldManager: "x",
      force: true,
    }).catch((reason: unknown) => reason);
    expect(error).to.have.property("message").that.contains("Deployment loan has no namespace");
    expect(server.requests).to.deep.equal([]);
  });
});
