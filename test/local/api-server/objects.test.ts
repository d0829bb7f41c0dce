import { expect } from "chai";
import { startApiServer, type ApiServer } from "../../../local/api-server/server.ts";
import { call, jsonPatch, mergePatch, strategicPatch, type Answer } from "./api-call.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

describe("the API server's objects", () => {
  let server: ApiServer;
  const ask = (...[method, path, options]: [string, string, Parameters<typeof call>[3]?]): Promise<Answer> =>
    call(server.url, method, path, options);
  const create = (body: object): Promise<Answer> => ask("POST", configMaps, { body });
  const meta = (answer: Answer): Record<string, unknown> => answer.body["metadata"] as Record<string, unknown>;

  before(async () => {
    server = await startApiServer();
  });
  after(() => server.close());

  it("have a uid, a creation time and a resourceVersion of the server's making", async () => {
    const { code, body } = await create({ metadata: { name: "plain" }, data: { a: "1" } });
    expect(code).to.equal(201);
    expect(body).to.deep.include({ kind: "ConfigMap", apiVersion: "v1", data: { a: "1" } });
    expect(body["metadata"]).to.include.keys("uid", "creationTimestamp", "resourceVersion", "managedFields");
    expect((await ask("GET", `${configMaps}/plain`)).body).to.deep.equal(body);
  });

  it("get a name of their own from generateName", async () => {
    const answers = await Promise.all([1, 2].map(() => create({ metadata: { generateName: "made-" } })));
    const names = answers.map((answer) => meta(answer)["name"]);
    expect(new Set(names).size).to.equal(2);
    for (const name of names) expect(name).to.match(/^made-[a-z0-9]{5}$/);
  });

  const notFound = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason: "NotFound", code: 404 };
  const refusals: [string, string, string, object | undefined, object][] = [
    [
      "an object that is not there",
      "GET",
      `${configMaps}/nope`,
      undefined,
      { ...notFound, message: `configmaps "nope" not found`, details: { name: "nope", kind: "configmaps" } },
    ],
    [
      "a kind that is not there",
      "GET",
      "/api/v1/foos",
      undefined,
      { ...notFound, message: "the server could not find the requested resource", details: {} },
    ],
    [
      "a namespace that is not there",
      "POST",
      "/api/v1/namespaces/nons/configmaps",
      { metadata: { name: "a" } },
      { ...notFound, message: `namespaces "nons" not found`, details: { name: "nons", kind: "namespaces" } },
    ],
    ["a method that is not there", "PUT", configMaps, {}, { code: 405, reason: "MethodNotAllowed" }],
    [
      "another namespace in the body",
      "POST",
      configMaps,
      { metadata: { name: "a", namespace: "b" } },
      { code: 400, message: "the namespace of the provided object does not match the namespace sent on the request" },
    ],
    [
      "a value of the wrong type",
      "POST",
      configMaps,
      { metadata: { name: "a" }, data: { x: 1 } },
      {
        code: 400,
        message: `ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string`,
      },
    ],
    [
      "an unknown field when asked to be strict",
      "POST",
      `${configMaps}?fieldValidation=Strict`,
      { metadata: { name: "a" }, dota: {} },
      {
        code: 400,
        message: `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dota"`,
      },
    ],
    [
      "a field selector that the kind does not have",
      "GET",
      `${configMaps}?fieldSelector=foo=bar`,
      undefined,
      { code: 400, message: `"foo" is not a known field selector: only "metadata.name", "metadata.namespace"` },
    ],
    [
      "a label selector that does not parse",
      "GET",
      `${configMaps}?labelSelector=a%20b%20c`,
      undefined,
      { code: 400, message: "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt" },
    ],
    [
      "an object without a name",
      "POST",
      configMaps,
      { metadata: {} },
      {
        code: 422,
        message: `ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required`,
      },
    ],
  ];
  for (const [title, method, path, body, expected] of refusals) {
    it(`refuse ${title} as the real server does`, async () => {
      const answer = await ask(method, path, body && { body });
      expect(answer.body).to.deep.include(expected);
      expect(answer.code).to.equal(answer.body["code"]);
    });
  }

  it("refuse a bad name with the rule and its cause", async () => {
    const { code, body } = await create({ metadata: { name: "A_b" } });
    expect(code).to.equal(422);
    expect(body["message"]).to.match(
      /^ConfigMap "A_b" is invalid: metadata\.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain/,
    );
    expect(body["details"]).to.have.nested.property("causes[0].field", "metadata.name");
  });

  it("refuse bodies of unknown types and too large ones", async () => {
    expect((await ask("POST", configMaps, { body: "x", type: "text/plain" })).code).to.equal(415);
    const large = { metadata: { name: "large" }, data: { a: "x".repeat(4 * 1024 * 1024) } };
    expect((await create(large)).code).to.equal(413);
  });

  it("are not asked for by what is no URL or no number: that is the client's fault", async () => {
    expect((await ask("GET", "/api/v1/namespaces/%zz/configmaps")).code).to.equal(400);
    for (const url of ["//", "//nowhere"]) expect((await ask("GET", url)).code, url).to.equal(404);
    const bound = { metadata: { name: "bound" }, spec: { nodeName: "n", containers: [{ name: "m", image: "i" }] } };
    await ask("POST", "/api/v1/namespaces/default/pods", { body: bound });
    const refused = await ask("DELETE", "/api/v1/namespaces/default/pods/bound?gracePeriodSeconds=soon");
    expect(refused.body).to.deep.include({ code: 400, message: 'strconv.ParseInt: parsing "soon": invalid syntax' });
  });

  it("warn about unknown fields and leave them out unless asked to be strict", async () => {
    const { body, warnings } = await create({ metadata: { name: "warned" }, dota: {} });
    expect(warnings).to.deep.equal([`299 - "unknown field \\"dota\\""`]);
    expect(body).not.to.have.property("dota");
  });

  it("are created once", async () => {
    await create({ metadata: { name: "twice" } });
    const { code, body } = await create({ metadata: { name: "twice" } });
    expect(code).to.equal(409);
    expect(body).to.include({ reason: "AlreadyExists", message: `configmaps "twice" already exists` });
  });

  it("are updated only from the version that the writer has seen", async () => {
    const first = await create({ metadata: { name: "raced" } });
    const winner = await ask("PUT", `${configMaps}/raced`, { body: { ...first.body, data: { by: "winner" } } });
    expect(winner.code).to.equal(200);
    const loser = await ask("PUT", `${configMaps}/raced`, { body: { ...first.body, data: { by: "loser" } } });
    expect(loser.code).to.equal(409);
    expect(loser.body["message"]).to.equal(
      `Operation cannot be fulfilled on configmaps "raced": the object has been modified; please apply your changes to the latest version and try again`,
    );
  });

  it("keep their resourceVersion when a write changes nothing", async () => {
    const first = await create({ metadata: { name: "still" }, data: { a: "1" } });
    const again = await ask("PATCH", `${configMaps}/still`, { body: { data: { a: "1" } }, type: mergePatch });
    expect(meta(again)["resourceVersion"]).to.equal(meta(first)["resourceVersion"]);
  });

  it("take JSON and merge patches", async () => {
    await create({ metadata: { name: "patched" }, data: { a: "1", b: "2" } });
    const merged = await ask("PATCH", `${configMaps}/patched`, {
      body: { data: { a: null, c: "3" } },
      type: mergePatch,
    });
    expect(merged.body["data"]).to.deep.equal({ b: "2", c: "3" });
    const operations = [
      { op: "add", path: "/data/k", value: "v" },
      { op: "remove", path: "/data/b" },
    ];
    expect(
      (await ask("PATCH", `${configMaps}/patched`, { body: operations, type: jsonPatch })).body["data"],
    ).to.deep.equal({ c: "3", k: "v" });
    const failing = [{ op: "test", path: "/data/k", value: "w" }];
    expect((await ask("PATCH", `${configMaps}/patched`, { body: failing, type: jsonPatch })).code).to.equal(422);
  });

  it("are not stored by a dry run", async () => {
    expect((await ask("POST", `${configMaps}?dryRun=All`, { body: { metadata: { name: "dry" } } })).code).to.equal(201);
    expect((await ask("GET", `${configMaps}/dry`)).code).to.equal(404);
  });

  it("are deleted under preconditions, and answer with a Status", async () => {
    const created = await create({ metadata: { name: "going" } });
    const wrong = await ask("DELETE", `${configMaps}/going`, { body: { preconditions: { uid: "123" } } });
    expect(wrong.code).to.equal(409);
    expect(wrong.body["message"]).to.contain("the UID in the precondition (123) does not match the UID in record");
    const { uid } = meta(created);
    const right = await ask("DELETE", `${configMaps}/going`, { body: { preconditions: { uid } } });
    expect(right.body).to.deep.include({ status: "Success", details: { name: "going", kind: "configmaps", uid } });
    expect((await ask("GET", `${configMaps}/going`)).code).to.equal(404);
  });

  it("stay until their last finalizer is gone", async () => {
    await create({ metadata: { name: "held", finalizers: ["example.com/hold"] } });
    const marked = await ask("DELETE", `${configMaps}/held`);
    expect(marked.body["metadata"]).to.include.keys("deletionTimestamp");
    await ask("PATCH", `${configMaps}/held`, { body: { metadata: { finalizers: null } }, type: mergePatch });
    expect((await ask("GET", `${configMaps}/held`)).code).to.equal(404);
  });

  it("are listed in pages that together hold each once", async () => {
    const names = ["p1", "p2", "p3", "p4", "p5"];
    for (const name of names) await create({ metadata: { name, labels: { page: "yes" } } });
    const seen: string[] = [];
    let token = "";
    do {
      const page = await ask("GET", `${configMaps}?labelSelector=page&limit=2&continue=${token}`);
      const items = page.body["items"] as { metadata: { name: string } }[];
      expect(items.length).to.be.at.most(2);
      seen.push(...items.map((item) => item.metadata.name));
      token = (meta(page)["continue"] as string | undefined) ?? "";
    } while (token !== "");
    expect(seen).to.deep.equal(names);
  });

  it("are selected by every operator of label selectors", async () => {
    for (const [name, labels] of [
      ["s1", { tier: "a", n: "1" }],
      ["s2", { tier: "b", n: "5" }],
      ["s3", { n: "9" }],
    ] as const) {
      await create({ metadata: { name, labels: { ...labels, sel: "yes" } } });
    }
    for (const [selector, expected] of [
      ["tier=a", ["s1"]],
      ["tier!=a", ["s2", "s3"]],
      ["tier in (a, b)", ["s1", "s2"]],
      ["tier notin (a)", ["s2", "s3"]],
      ["tier", ["s1", "s2"]],
      ["!tier", ["s3"]],
      ["n>4", ["s2", "s3"]],
      ["tier=a,n=1", ["s1"]],
    ] as const) {
      const { body } = await ask("GET", `${configMaps}?labelSelector=${encodeURIComponent(`sel=yes,${selector}`)}`);
      const names = (body["items"] as { metadata: { name: string } }[]).map((item) => item.metadata.name);
      expect(names, selector).to.deep.equal(expected);
    }
  });

  it("cannot be made gigabytes by a patch that copies again and again", async () => {
    await create({ metadata: { name: "small", annotations: { a: "x".repeat(1000) } } });
    const doubled = (index: number): object => ({ op: "copy", from: "/metadata", path: `/metadata/${index}` });
    const patch = Array.from({ length: 14 }, (_, index) => doubled(index));
    const answer = await ask("PATCH", `${configMaps}/small`, { body: patch, type: jsonPatch });
    expect(answer.body).to.deep.include({ code: 422, reason: "Invalid" });
  });

  it("may have names for keys that JavaScript's own objects know", async () => {
    const { code } = await create({ metadata: { name: "known" }, data: { constructor: "1", toString: "2" } });
    expect(code).to.equal(201);
    const { body } = await ask("GET", `${configMaps}?labelSelector=constructor`);
    expect(body["items"]).to.deep.equal([]);
    const patch = [{ op: "replace", path: "/data/valueOf", value: "3" }];
    const patched = await ask("PATCH", `${configMaps}/known`, { body: patch, type: jsonPatch });
    expect(patched.body["data"]).to.deep.equal({ constructor: "1", toString: "2", valueOf: "3" });
  });

  it("that are pods are kept from eviction by the budgets that select them, and by no others", async () => {
    const budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    const pods = "/api/v1/namespaces/default/pods";
    const matchExpressions = [{ key: "tier", operator: "In", values: ["front"] }];
    await ask("POST", budgets, { body: { metadata: { name: "front" }, spec: { selector: { matchExpressions } } } });
    const status = { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 };
    await ask("PATCH", `${budgets}/front/status`, { body: { status }, type: mergePatch });
    for (const tier of ["front", "back"]) {
      const containers = [{ name: "main", image: "main" }];
      await ask("POST", pods, { body: { metadata: { name: tier, labels: { tier } }, spec: { containers } } });
    }
    const evict = async (name: string): Promise<number> =>
      (await ask("POST", `${pods}/${name}/eviction`, { body: { metadata: { name } } })).code;
    expect([await evict("front"), await evict("back")]).to.deep.equal([429, 201]);
  });

  it("of kind Secret hold stringData as base64", async () => {
    const { body } = await ask("POST", "/api/v1/namespaces/default/secrets", {
      body: { metadata: { name: "s" }, stringData: { key: "value" } },
    });
    expect(body).to.deep.include({ type: "Opaque", data: { key: "dmFsdWU=" } });
    expect(body).not.to.have.property("stringData");
  });

  it("of kind Service get an address, node ports when they need them, and the real defaults", async () => {
    const services = "/api/v1/namespaces/default/services";
    const plain = await ask("POST", services, {
      body: { metadata: { name: "plain" }, spec: { selector: { a: "b" }, ports: [{ port: 80 }] } },
    });
    expect(plain.body["spec"]).to.deep.include({
      type: "ClusterIP",
      sessionAffinity: "None",
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    });
    expect(plain.body["spec"])
      .to.have.property("clusterIP")
      .that.matches(/^10\.96\./);
    const balancer = await ask("POST", services, {
      body: { metadata: { name: "lb" }, spec: { type: "LoadBalancer", ports: [{ port: 80, targetPort: "http" }] } },
    });
    expect(balancer.body).to.have.nested.property("spec.ports[0].nodePort").that.is.within(30_000, 32_767);
    expect(balancer.body).to.have.nested.property("spec.externalTrafficPolicy", "Cluster");
    const headless = await ask("POST", services, {
      body: {
        metadata: { name: "headless" },
        spec: { clusterIP: "None", selector: { a: "b" }, ports: [{ port: 80 }] },
      },
    });
    expect(headless.body).to.deep.nested.include({ "spec.clusterIP": "None", "spec.clusterIPs": ["None"] });
    const without = await ask("POST", services, { body: { metadata: { name: "none" }, spec: {} } });
    expect(without.body["message"]).to.equal(`Service "none" is invalid: spec.ports: Required value`);
  });

  it("of kind Deployment get the defaults that clients compare with", async () => {
    const container = {
      name: "c",
      image: "x:1",
      ports: [{ containerPort: 80 }],
      readinessProbe: { httpGet: { port: 80 } },
    };
    const spec = {
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [container] } },
    };
    const { body } = await ask("POST", "/apis/apps/v1/namespaces/default/deployments", {
      body: { metadata: { name: "d" }, spec },
    });
    expect(body["spec"]).to.deep.equal({
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      selector: { matchLabels: { a: "b" } },
      template: {
        metadata: { labels: { a: "b" } },
        spec: {
          restartPolicy: "Always",
          terminationGracePeriodSeconds: 30,
          dnsPolicy: "ClusterFirst",
          securityContext: {},
          schedulerName: "default-scheduler",
          containers: [
            {
              ...container,
              ports: [{ containerPort: 80, protocol: "TCP" }],
              readinessProbe: {
                httpGet: { port: 80, path: "/", scheme: "HTTP" },
                timeoutSeconds: 1,
                periodSeconds: 10,
                successThreshold: 1,
                failureThreshold: 3,
              },
              resources: {},
              terminationMessagePath: "/dev/termination-log",
              terminationMessagePolicy: "File",
              imagePullPolicy: "IfNotPresent",
            },
          ],
        },
      },
    });
    const moved = await ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/d", {
      body: { spec: { selector: { matchLabels: { a: "c" } } } },
      type: mergePatch,
    });
    expect(moved.body["message"]).to.contain("spec.selector: Invalid value").and.to.contain("field is immutable");
  });

  it("count generations by changes of spec alone", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments/d";
    const generation = async (body: object, subresource = ""): Promise<unknown> =>
      meta(await ask("PATCH", path + subresource, { body, type: strategicPatch }))["generation"];
    expect(await generation({ metadata: { labels: { x: "y" } } })).to.equal(1);
    expect(await generation({ status: { replicas: 3 } }, "/status")).to.equal(1);
    expect(await generation({ spec: { replicas: 2 } })).to.equal(2);
  });

  it("are scaled through their scale subresource", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments/d/scale";
    const scaled = await ask("PATCH", path, { body: { spec: { replicas: 7 } }, type: mergePatch });
    expect(scaled.body).to.deep.nested.include({ kind: "Scale", "spec.replicas": 7, "status.selector": "a=b" });
    expect((await ask("GET", path)).body["spec"]).to.deep.equal({ replicas: 7 });
  });
});
