import { expect } from "chai";
import { KubeError } from "../../../operator/kube/errors.ts";
import { collectionPath } from "../../../operator/kube/objects.ts";
import { modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import { invalidObjects } from "../../support/operator/invalid-objects.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { Fixture, twoVersions } from "./fixture.ts";

describe("the API server", function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    cluster = await startTestCluster("instant");
  });
  after(async () => cluster?.close());

  for (const { title, name = "wrong", spec, field } of invalidObjects)
    it(`refuses ${title}, naming ${field}`, async () => {
      const error = await create(name, spec);
      expect(error).to.be.instanceOf(KubeError).that.includes({ status: 422, reason: "Invalid" });
      const fields = (error as KubeError).details?.causes?.map((cause) => cause.field ?? "") ?? [];
      expect(fields).to.satisfy(
        () => fields.some((each) => each === field || each.startsWith(`${field}[`)),
        fields.join(),
      );
    });

  it("says what the value of a wrong field was", async () => {
    const error = (await create("wrong", { source: { uri: "ftp://host/model" } })) as KubeError;
    expect(error.message).to.include('spec.source.uri: Invalid value: "ftp://host/model": must be one of file://…');
  });

  it("accepts what is right", async () => {
    expect(await create("right", twoVersions(80, 20))).to.equal(undefined);
  });

  /** What the API server has against the object; undefined when it takes it. */
  async function create(name: string, spec: object): Promise<unknown> {
    const object = new Fixture(cluster).object("serving.slipway.dev/v1alpha1", "ModelDeployment", name, { spec });
    try {
      await cluster.client.request("POST", collectionPath(modelDeployments, cluster.namespace), { body: object });
      return undefined;
    } catch (error) {
      return error;
    }
  }
});
