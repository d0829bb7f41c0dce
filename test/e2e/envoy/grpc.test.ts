import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { Client, Metadata, credentials, status as Status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { expect } from "chai";
import { request } from "undici";

import { readRouterStatus } from "../../../operator/reconcile/router-status.ts";
import { createBucketer } from "../../../operator/traffic/bucket.ts";
import { grpcCluster } from "../../../operator/traffic/envoy-clusters.ts";
import { VERSION_HEADER } from "../../../operator/traffic/envoy-routes.ts";
import { rebalance, revisionAt, splitOf } from "../../../operator/traffic/intervals.ts";
import { MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE } from "../../../runtime/grpc/inference-messages.ts";
import { eventually } from "../../local/router/condition.ts";
import { ConfigFolder, SALT } from "../../local/router/config-folder.ts";
import type { Ports, Traffic } from "../../local/router/config-folder.ts";
import { RuntimeProcess } from "../../runtime/support/runtime-process.ts";
import { Scratch, graph } from "../../runtime/support/scratch.ts";
import { freePorts, startEnvoy } from "./envoy-process.ts";
import type { EnvoyProcess } from "./envoy-process.ts";

const shares = (v1: number): Map<string, number> =>
  new Map([
    ["v1-a", v1],
    ["v2-a", 100 - v1],
  ]);
const EIGHTY_TWENTY = splitOf(shares(80));
const SIXTY_FORTY = rebalance(EIGHTY_TWENTY, shares(60)).split;
const USERS = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
const INFER = "/inference.GRPCInferenceService/ModelInfer";
const ASKED = MODEL_INFER_REQUEST.encode({
  model_name: "model",
  inputs: [{ name: "index", datatype: "INT64", shape: [1n, 1n], contents: { int64_contents: [1n] } }],
});
const asIs = (bytes: Buffer): Buffer => bytes;

describe("gRPC through Envoy", function () {
  this.timeout(120_000);
  const binary = process.env["ENVOY"];
  const python = process.env["CLIENTS_PYTHON"];
  const scratch = new Scratch();
  const runtimes: RuntimeProcess[] = [];
  let ports: Ports;
  let folder: ConfigFolder;
  let envoy: EnvoyProcess;
  let client: Client;
  let traffic: Traffic;

  const at = (port: number): { host: string; port: number }[] => [{ host: "127.0.0.1", port }];

  /** Two versions of a model, each in a process of its own. */
  async function startVersions(model: string, nameOf = (version: string): string => version): Promise<Traffic> {
    const MODEL_URI = await scratch.folder({ "model.onnx": graph(model) });
    const started = await Promise.all(
      ["v1", "v2"].map(async (version) => {
        const environment = { MODEL_URI, MODEL_VARIANT: nameOf(version), MODEL_VERSION: "7", GRPC_PORT: "0" };
        const runtime = new RuntimeProcess(environment);
        runtimes.push(runtime);
        await runtime.logged("ready");
        const { port: grpc = 0 } = await runtime.logged("listening for gRPC");
        return { revision: `${version}-a`, http: at(Number(new URL(await runtime.url("")).port)), grpc: at(grpc) };
      }),
    );
    return {
      split: EIGHTY_TWENTY,
      pods: Object.fromEntries(started.map(({ revision, http }) => [revision, http])),
      grpc: Object.fromEntries(started.map(({ revision, grpc }) => [revision, grpc])),
    };
  }

  async function apply(wanted: Traffic): Promise<void> {
    const { clusters, routes } = await folder.writeTraffic(wanted);
    const names = [...Object.keys(wanted.pods), ...Object.keys(wanted.grpc ?? {}).map(grpcCluster)];
    await eventually("Envoy has the config and healthy pods", async () => {
      const report = await readRouterStatus({ address: "127.0.0.1", port: ports.status }).catch(() => undefined);
      const healthy = names.every((name) => report?.healthyHosts.get(name) === 1);
      return healthy && report?.clustersVersion === clusters.version && report.routesHash === routes.hash;
    });
  }

  /** What answered a call with these metadata: its variant, and the version that the router names. */
  function call(metadata: Record<string, string>): Promise<{ variant: unknown; version: unknown }> {
    return new Promise((resolve, reject) => {
      const sent = Metadata.fromHttp2Headers(metadata);
      let version: unknown;
      client
        .makeUnaryRequest<Buffer, Buffer>(INFER, asIs, asIs, ASKED, sent, (error, answer) => {
          if (error || !answer) reject(error ?? new Error("no answer"));
          else resolve({ variant: MODEL_INFER_RESPONSE.decode(answer).parameters[0]?.value?.string_param, version });
        })
        .on("metadata", (received) => {
          [version] = received.get(VERSION_HEADER);
        });
    });
  }

  before(async function () {
    if (binary === undefined) return this.skip();
    traffic = await startVersions("lookup");
    ports = await freePorts();
    folder = await ConfigFolder.create(ports);
    await folder.writeTraffic(traffic);
    envoy = startEnvoy(binary, folder.bootstrapFile);
    await apply(traffic);
    client = new Client(`127.0.0.1:${ports.traffic}`, credentials.createInsecure());
  });
  after(async () => {
    if (binary === undefined) return;
    client.close();
    await envoy.stop();
    await Promise.all(runtimes.map((runtime) => runtime[Symbol.asyncDispose]()));
    await folder.remove();
  });

  for (const [title, split] of [
    ["80 to 20", EIGHTY_TWENTY],
    ["60 to 40 after it", SIXTY_FORTY],
  ] as const) {
    it(`gives each user the version that HTTP gives them: ${title}`, async () => {
      await apply({ ...traffic, split });
      const bucket = await createBucketer();
      for (const user of USERS) {
        const expected = revisionAt(split, bucket(SALT, user)).slice(0, 2);
        expect(await call({ "x-user-id": user }), user).to.deep.equal({ variant: expected, version: expected });
      }
      for (const user of USERS.slice(0, 50)) {
        const headers = { "x-user-id": user };
        const answer = await request(`http://127.0.0.1:${ports.traffic}/health`, { headers });
        await answer.body.dump();
        expect(answer.headers[VERSION_HEADER]).to.equal(revisionAt(split, bucket(SALT, user)).slice(0, 2));
      }
    });
  }

  it("deals calls without a key at random, and takes pins", async () => {
    await apply({ ...traffic, split: SIXTY_FORTY });
    const dealt = await Promise.all(USERS.map(() => call({})));
    expect(dealt.filter(({ variant }) => variant === "v1").length / USERS.length).to.be.closeTo(0.6, 0.07);
    for (const version of ["v1", "v2"]) {
      expect(await call({ [VERSION_HEADER]: version, "x-user-id": "user-1" })).to.include({ variant: version });
    }
    const misspelt = await call({ [VERSION_HEADER]: "v3" }).catch((error: ServiceError) => error);
    expect(misspelt).to.include({ code: Status.UNIMPLEMENTED });
  });

  it("carries the runtime's own errors", async () => {
    const wrong = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(INFER, asIs, asIs, Buffer.from("no message"), (error) => resolve(error));
    });
    expect(wrong).to.include({ code: Status.INVALID_ARGUMENT });
  });

  it("refuses the calls of users whose version speaks none, and serves the others", async () => {
    await apply({ ...traffic, grpc: { "v2-a": traffic.grpc?.["v2-a"] ?? [] } });
    const refused = await call({ [VERSION_HEADER]: "v1" }).catch((error: ServiceError) => error);
    expect(refused).to.be.instanceOf(Error).with.property("code").that.is.oneOf([Status.UNIMPLEMENTED, Status.UNKNOWN]);
    expect(await call({ [VERSION_HEADER]: "v2" })).to.include({ variant: "v2" });
  });

  it("works with tritonclient as it is", async function () {
    if (python === undefined) return this.skip();
    await apply(await startVersions("identity", () => "default"));
    const front = `127.0.0.1:${ports.traffic}`;
    const args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test/e2e/clients/triton_test.py"];
    const environment = { RUNTIME_HTTP: front, RUNTIME_GRPC: front, PYTHONDONTWRITEBYTECODE: "1" };
    const env = { PATH: process.env["PATH"] ?? "", ...environment };
    await promisify(execFile)(python, args, { env }).catch((error: Error & { stdout: string }) => {
      throw new Error(error.stdout, { cause: error });
    });
  });
});
