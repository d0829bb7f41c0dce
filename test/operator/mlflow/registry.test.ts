import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { HostPolicy } from "../../../operator/mlflow/host-policy.ts";
import { AliasError, MlflowRegistry } from "../../../operator/mlflow/registry.ts";
import { KubeError } from "../../../operator/kube/errors.ts";
import type { KubeClient } from "../../../operator/kube/transport.ts";
import type { AliasReference } from "../../../operator/plan/aliases.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

// The real server is asked in test/e2e/mlflow; here it says what a real one says only in bad times.
describe("MlflowRegistry", () => {
  let server: Server;
  let reference: AliasReference;
  let secret: Record<string, string> | KubeError;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let registry: MlflowRegistry;
  const requests: { url: string | undefined; authorization: string | undefined }[] = [];

  beforeEach(async () => {
    server = createServer((request, response) => {
      requests.push({ url: request.url, authorization: request.headers.authorization });
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    reference = { trackingUri: `http://127.0.0.1:${port}/ml/`, namespace: "credit", model: "A B", alias: "champion" };
    requests.length = 0;
    answer = (_request, response) => response.end('{"model_version":{"name":"A B","version":"7"}}');
    secret = {};
    const client: Pick<KubeClient, "request"> = {
      request: async <T>(_method: string, path: string) => {
        expect(path).to.equal("/api/v1/namespaces/credit/secrets/auth");
        if (secret instanceof KubeError) throw secret;
        return { data: secret } as T;
      },
    };
    registry = new MlflowRegistry(client as KubeClient, new HostPolicy(["127.0.0.1"]));
  });
  afterEach(async () => {
    await registry.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = (more: Partial<AliasReference> = {}): Promise<string> =>
    registry.versionOf({ ...reference, ...more }, AbortSignal.timeout(5_000));
  const problem = async (more: Partial<AliasReference> = {}) => {
    const error = await ask(more).catch((thrown: unknown) => thrown);
    if (!(error instanceof AliasError)) throw new Error(`expected an AliasError, got ${String(error)}`);
    return error.problem;
  };

  it("asks below the path of the tracking URI and gives the version", async () => {
    expect(await ask()).to.equal("7");
    expect(requests[0]?.url).to.equal("/ml/api/2.0/mlflow/registered-models/alias?name=A+B&alias=champion");
    expect(requests[0]?.authorization).to.equal(undefined);
  });

  it("shows the credentials of the Secret: a token, else name and password", async () => {
    secret = { MLFLOW_TRACKING_TOKEN: base64("t0ken") };
    await ask({ secret: "auth" });
    secret = { MLFLOW_TRACKING_USERNAME: base64("me"), MLFLOW_TRACKING_PASSWORD: base64("pass") };
    await ask({ secret: "auth" });
    expect(requests.map(({ authorization }) => authorization)).to.deep.equal([
      "Bearer t0ken",
      `Basic ${base64("me:pass")}`,
    ]);
  });

  it("says what to do about a Secret that is not there or may not be read", async () => {
    secret = new KubeError("getting Secret", { status: 404, reason: "NotFound" });
    expect(await problem({ secret: "auth" })).to.deep.include({ reason: "AccessDenied" });
    secret = new KubeError("getting Secret", { status: 403, reason: "Forbidden" });
    const { reason, message } = await problem({ secret: "auth" });
    expect(reason).to.equal("AccessDenied");
    expect(message).to.contain("credit/auth").and.contain("Role");
    expect(requests).to.have.length(0);
  });

  const statuses: [status: number, reason: string][] = [
    [400, "ArtifactNotFound"],
    [404, "ArtifactNotFound"],
    [401, "AccessDenied"],
    [403, "AccessDenied"],
    [302, "RegistryUnavailable"],
    [429, "RegistryUnavailable"],
    [500, "RegistryUnavailable"],
  ];
  for (const [status, reason] of statuses)
    it(`takes ${status} for ${reason}`, async () => {
      answer = (_request, response) => response.writeHead(status, { location: "/elsewhere" }).end();
      expect(await problem()).to.include({ reason });
      expect(requests, "a redirect is not followed").to.have.length(1);
    });

  for (const body of ["<html>", "{}", '{"model_version":{"version":"../9"}}', '{"model_version":null}'])
    it(`takes the answer ${body} for none`, async () => {
      answer = (_request, response) => response.end(body);
      expect(await problem()).to.include({ reason: "RegistryUnavailable" });
    });

  it("reads no more of an answer than there can be of use", async () => {
    answer = (_request, response) => response.end(Buffer.alloc(2 * 1024 * 1024, " "));
    expect(await problem()).to.include({ reason: "RegistryUnavailable" });
  });

  it("says where it got when nobody listens", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const { reason, message } = await problem();
    expect(reason).to.equal("RegistryUnavailable");
    expect(message).to.match(/^resolving models:\/A B@champion at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  it("does not ask hosts that the policy denies, be it by name or by address", async () => {
    expect(await problem({ trackingUri: "http://169.254.169.254" })).to.include({ reason: "AccessDenied" });
    const byName = new MlflowRegistry({} as KubeClient, new HostPolicy(["*"]));
    const { port } = server.address() as AddressInfo;
    const error = await byName
      .versionOf({ ...reference, trackingUri: `http://localhost:${port}` }, AbortSignal.timeout(5_000))
      .catch((thrown: unknown) => thrown);
    await byName.close();
    expect(error).to.be.instanceOf(AliasError);
    expect((error as AliasError).problem.reason).to.equal("AccessDenied");
    expect(requests).to.have.length(0);
  });
});
