import { KubeConfig } from "@kubernetes/client-node";
import { expect } from "chai";
import { serverSideApply } from "../../../operator/kube/apply.ts";
import { systemClock } from "../../../operator/kube/clock.ts";
import {
  apiVersionOf,
  collectionPath,
  horizontalPodAutoscalers,
  objectPath,
  podDisruptionBudgets,
  services,
  pods,
} from "../../../operator/kube/objects.ts";
import type { KubeObject, ResourceType } from "../../../operator/kube/objects.ts";
import { startOperator } from "../../../operator/operator.ts";
import type { Operator } from "../../../operator/operator.ts";
import { childTypes, modelDeployments } from "../../../operator/reconcile/resource-types.ts";
import { renderChart } from "../../support/chart.ts";
import { eventually } from "../../support/eventually.ts";
import { testOperatorConfig } from "../../support/operator-config.ts";
import { startTestCluster } from "../../support/test-cluster.ts";
import type { TestCluster } from "../../support/test-cluster.ts";
import { condition, Fixture, oneVersion, twoVersions } from "../objects/fixture.ts";
import { recordRequests } from "./requests.ts";
import type { Access, RequestRecording } from "./requests.ts";

interface Role extends KubeObject {
  rules: { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[];
}

/** The embedded API server asks nobody who they are; a real one refuses what no role allows. */
const isReal = Boolean(process.env["KUBECONFIG"] ?? process.env["KUBEBUILDER_ASSETS"]);

/** Asked for by an admission plugin that OpenShift has, and that is off here. */
const ASKED_ELSEWHERE = "serving.slipway.dev/modeldeployments/finalizers update";

for (const scope of ["all namespaces", "some namespaces"] as const)
  describe(`the chart's roles for ${scope}`, function () {
    this.timeout(180_000);
    let cluster: TestCluster;
    let fixture: Fixture;
    let roles: Role[];
    let operator: Operator;
    let recording: RequestRecording;
    const errors: unknown[] = [];

    before(async () => {
      cluster = await startTestCluster("instant");
      fixture = new Fixture(cluster);
      const { namespace } = cluster;
      for (const name of [also(), other()])
        await cluster.client.request("POST", "/api/v1/namespaces", { body: { metadata: { name } } });
      const watchNamespaces = scope === "all namespaces" ? [] : [namespace, also()];
      const objects = await renderChart(namespace, { watchNamespaces });
      roles = objects.filter(({ kind }) => kind === "Role" || kind === "ClusterRole") as Role[];
      roles = roles.filter(({ metadata }) => !/-(view|edit)$/.test(metadata.name));
      recording = recordRequests();
      operator = await startOperator({
        kubeConfig: isReal ? await serviceAccount(objects) : cluster.kubeConfig,
        config: testOperatorConfig(namespace, {
          namespaces: scope === "all namespaces" ? "all" : watchNamespaces,
          leaderElection: { namespace },
        }),
        clock: systemClock,
        log: {
          debug: ignore,
          info: ignore,
          warn: ignore,
          error: (fields, message) => errors.push({ message, fields }),
        },
        onLeadershipLost: (reason) => errors.push(reason),
      });
    });
    after(async () => {
      recording?.stop();
      await operator?.stop();
      for (const name of [also(), other()]) await cluster?.client.request("DELETE", `/api/v1/namespaces/${name}`);
      await cluster?.close();
    });

    /** Namespaces of which the operator is told, and is not. */
    const also = (): string => `${cluster.namespace}-also`;
    const other = (): string => `${cluster.namespace}-other`;

    it("suffice for the life of an object", async () => {
      await fixture.apply("loan", { ...oneVersion, serving: { replicas: 2 } });
      await fixture.ready("loan");
      for (const uri of ["configmap://loan-v2", "configmap://loan-v1", "configmap://loan-v2"]) {
        await fixture.apply("loan", { source: { uri }, serving: { replicas: 2 } });
        await fixture.until(
          "loan",
          ({ status }) => status?.revisions?.length === 1 && status.revisions[0]?.uri === uri,
        );
      }
      const autoscaling = { minReplicas: 1, maxReplicas: 3, targetCPUUtilizationPercentage: 70 };
      await fixture.apply("loan", { ...oneVersion, serving: { autoscaling } });
      await eventually(async () => expect(await fixture.list(horizontalPodAutoscalers)).to.have.length.above(0));
      await fixture.apply("loan", { ...oneVersion, serving: { replicas: 1 } });
      await eventually(async () => expect(await fixture.list(horizontalPodAutoscalers)).to.have.length(0), 30_000);
    });

    it("suffice for routers, which no kubelet here brings up to date", async () => {
      await fixture.apply("split", twoVersions(80, 20, { traffic: { sticky: { header: "x-user-id" } } }));
      await eventually(() => expect(used()).to.include("pods patch"), 30_000);
    });

    it("suffice to read what a node says of a pod that runs and is not ready", async () => {
      await fixture.apply("unready", oneVersion);
      await fixture.ready("unready");
      type Pod = KubeObject & { status?: { containerStatuses?: object[] } };
      const [pod] = await fixture.list<Pod>(pods, "serving.slipway.dev/model-deployment=unready");
      const conditions = [{ type: "Ready", status: "False", lastTransitionTime: new Date().toISOString() }];
      const containerStatuses = pod?.status?.containerStatuses?.map((each) => ({
        ...each,
        ready: false,
        started: true,
      }));
      await fixture.patchStatus(pods, pod?.metadata.name ?? "", { conditions, containerStatuses });
      await eventually(() => expect(used()).to.include("events list"), 30_000);
    });

    it("suffice to take back a child that lost its owner", async () => {
      await fixture.apply("lost", oneVersion);
      const name = fixture.child(await fixture.ready("lost"), "v1");
      await fixture.patch(podDisruptionBudgets, name, { metadata: { ownerReferences: null } });
      await eventually(async () => {
        const { metadata } = await fixture.get(podDisruptionBudgets, name);
        expect(metadata.ownerReferences).to.have.length(1);
      }, 30_000);
    });

    it("suffice to see that a name is taken", async () => {
      const spec = { ports: [{ port: 80 }] };
      await fixture.create(services, fixture.object("v1", "Service", "taken", { spec }));
      await fixture.apply("taken", oneVersion);
      await fixture.until("taken", (object) => condition(object, "Stalled")?.reason === "NotOwned");
    });

    it(`reach ${scope}${scope === "some namespaces" ? " and no other" : ""}`, async () => {
      const object = async (namespace: string): Promise<KubeObject & { status?: object }> =>
        cluster.client.request("GET", objectPath(modelDeployments, { namespace, name: "elsewhere" }));
      for (const namespace of [other(), also()]) {
        const metadata = { name: "elsewhere", namespace };
        const body = {
          apiVersion: apiVersionOf(modelDeployments),
          kind: "ModelDeployment",
          metadata,
          spec: oneVersion,
        };
        await cluster.client.request("POST", collectionPath(modelDeployments, namespace), { body });
      }
      await eventually(async () => expect(await object(also())).to.have.property("status"));
      if (scope === "all namespaces")
        await eventually(async () => expect(await object(other())).to.have.property("status"));
      else expect(await object(other())).not.to.have.property("status");
    });

    it("suffice to hand the lease over, and nothing was ever refused", async () => {
      await operator.stop();
      // An operator of all namespaces also meets what other suites leave in theirs while these end.
      const own = [cluster.namespace, also(), other()].map((name) => `/namespaces/${name}/`);
      const isOwn = (request: string): boolean =>
        !request.includes("/namespaces/") || own.some((part) => request.includes(part));
      expect(recording.refused.filter(isOwn)).to.deep.equal([]);
      expect(errors).to.deep.equal([]);
    });

    it("allow all that was done", () => {
      expect(used().filter((right) => !granted().includes(right))).to.deep.equal([]);
    });

    it("allow nothing that was not done", () => {
      const unused = granted().filter((right) => !used().includes(right));
      expect(unused).to.deep.equal([ASKED_ELSEWHERE]);
    });

    it("allow what is done to one kind of child for every kind", () => {
      const verbs = childTypes.map(({ group, plural }) => {
        const resource = group === "" ? plural : `${group}/${plural}`;
        return granted(false)
          .filter((right) => right.startsWith(`${resource} `))
          .map((right) => right.slice(resource.length + 1))
          .join(" ");
      });
      expect(new Set(verbs).size, verbs.join("; ")).to.equal(1);
    });

    if (scope === "some namespaces") {
      it("are Roles in these namespaces, and nothing was asked outside of them", () => {
        expect(roles.map(({ kind }) => kind)).to.deep.equal(["Role", "Role", "Role"]);
        const namespaces = new Set(recording.accesses.map(({ namespace }) => namespace));
        expect([...namespaces]).to.have.members([cluster.namespace, also()]);
      });
    }

    /** Rights by resource and verb. A verb on one kind of child counts for all: which needs which is a matter of luck. */
    function used(): string[] {
      const children = new Set(childTypes.map(({ group, plural }) => (group === "" ? plural : `${group}/${plural}`)));
      const right = ({ resource, verb, name }: Access): string => {
        if (resource === "coordination.k8s.io/leases" && name !== undefined) return `${resource}:${name} ${verb}`;
        return `${children.has(resource) ? "children" : resource} ${verb}`;
      };
      return [...new Set(recording.accesses.map(right))].toSorted();
    }

    function granted(folded = true): string[] {
      const children = new Set(childTypes.map(({ group, plural }) => (group === "" ? plural : `${group}/${plural}`)));
      const rights = roles.flatMap(({ rules }) =>
        rules.flatMap(({ apiGroups, resources, resourceNames = [""], verbs }) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((plural) => {
              const resource = group === "" ? plural : `${group}/${plural}`;
              const kind = folded && children.has(resource) ? "children" : resource;
              return resourceNames.flatMap((name) => verbs.map((verb) => `${kind}${name && `:${name}`} ${verb}`));
            }),
          ),
        ),
      );
      return [...new Set(rights)].toSorted();
    }

    /** Who has nothing but what the chart gives: its ServiceAccount, by a token. */
    async function serviceAccount(objects: KubeObject[]): Promise<KubeConfig> {
      const kinds = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
      for (const object of objects.filter(({ kind }) => kinds.includes(kind)))
        await serverSideApply(cluster.client, typeOf(object), object, { fieldManager: "slipway-test", force: true });
      const key = { namespace: cluster.namespace, name: "slipway" };
      const { status } = await cluster.client.request<{ status: { token: string } }>(
        "POST",
        `${objectPath(serviceAccounts, key)}/token`,
        { body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } } },
      );
      const kubeConfig = new KubeConfig();
      const server = cluster.kubeConfig.getCurrentCluster();
      if (server === null) throw new Error("the test's kubeconfig names no cluster");
      kubeConfig.loadFromClusterAndUser(server, { name: "slipway", token: status.token });
      return kubeConfig;
    }
  });

const serviceAccounts: ResourceType = {
  group: "",
  version: "v1",
  plural: "serviceaccounts",
  kind: "ServiceAccount",
  namespaced: true,
};

function typeOf({ apiVersion, kind }: KubeObject): ResourceType {
  if (kind === "ServiceAccount") return serviceAccounts;
  const [group = "", version = ""] = apiVersion.split("/");
  return { group, version, plural: `${kind.toLowerCase()}s`, kind, namespaced: !kind.startsWith("Cluster") };
}

function ignore(): void {}
