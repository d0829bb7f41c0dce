import { expect } from "chai";
import { pino } from "pino";

import { readConfig } from "../../../runtime/config.ts";
import { LoadError } from "../../../runtime/load-error.ts";
import { fetchArtifact } from "../../../runtime/source/artifact.ts";
import { terminationMessage } from "../../../runtime/termination-message.ts";
import { TestServer } from "../support/http-server.ts";
import { RuntimeProcess } from "../support/runtime-process.ts";
import { Scratch } from "../support/scratch.ts";

type Environment = Readonly<Record<string, string>>;

const NAME = "ada-of-the-lab";
const SECRET = "hunter2hunter2hunter2";
const KEY = Buffer.from(SECRET).toString("base64");
const BASIC = Buffer.from(`${NAME}:${SECRET}`).toString("base64");

/** Servers at their worst: they answer all with one status and print what they were sent. */
const STATUSES = [200, 302, 401, 403, 404, 500];

describe("A source's credentials", () => {
  const scratch = new Scratch();
  const servers = STATUSES.map((status) => {
    const server: TestServer = new TestServer((request, response) => {
      const sent = JSON.stringify([request.url, request.headers]);
      response.writeHead(status, {
        "content-type": "text/plain",
        "www-authenticate": `Bearer realm="${server.url}/token?${SECRET}",service="${SECRET}"`,
        location: `${server.url}/again?token=${SECRET}`,
      });
      response.end(`<Error><Code>Denied</Code><Message>${sent}</Message></Error>`);
    });
    return server;
  });

  const sources: [
    title: string,
    uri: (server: TestServer) => string,
    environment: (server: TestServer) => Environment,
  ][] = [
    ["https, by header", ({ url }) => `${url}/m.onnx`, () => ({ HTTP_AUTHORIZATION: `Bearer ${SECRET}` })],
    ["https, by password", ({ url }) => `${url}/m/`, () => ({ HTTP_USERNAME: NAME, HTTP_PASSWORD: SECRET })],
    ["https, in the address", ({ host }) => `http://${NAME}:${SECRET}@${host}/m.onnx?signature=${SECRET}`, () => ({})],
    [
      "s3",
      () => "s3://models/m/",
      ({ url }) => ({
        AWS_ENDPOINT_URL: url,
        AWS_ACCESS_KEY_ID: NAME,
        AWS_SECRET_ACCESS_KEY: SECRET,
        AWS_SESSION_TOKEN: SECRET,
      }),
    ],
    [
      "az, by key",
      () => "az://models/m/",
      ({ url }) => ({
        AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=${KEY};BlobEndpoint=${url}/a;`,
      }),
    ],
    [
      "az, by shared access signature",
      () => "az://models/m.onnx",
      ({ url }) => ({
        AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${url}/a;SharedAccessSignature=sv=1&sig=${SECRET}`,
      }),
    ],
    ["hf", () => "hf://team/model", ({ url }) => ({ HF_ENDPOINT: url, HF_TOKEN: SECRET })],
    ["oci, by password", ({ host }) => `oci://${host}/m:1`, () => ({ OCI_USERNAME: NAME, OCI_PASSWORD: SECRET })],
    [
      "oci, by Docker's configuration",
      ({ host }) => `oci://${host}/m:1`,
      ({ host }) => ({ OCI_DOCKER_CONFIG: JSON.stringify({ auths: { [host]: { auth: BASIC } } }) }),
    ],
    [
      "mlflow, by token",
      () => "models:/m/1",
      ({ url }) => ({ MLFLOW_TRACKING_URI: url, MLFLOW_TRACKING_TOKEN: SECRET }),
    ],
    [
      "mlflow, by password",
      () => "runs:/0123456789abcdef0123456789abcdef/model",
      ({ url }) => ({
        MLFLOW_TRACKING_URI: url,
        MLFLOW_TRACKING_USERNAME: NAME,
        MLFLOW_TRACKING_PASSWORD: SECRET,
      }),
    ],
  ];
  const told = new Map<string, Promise<string[]>>();
  before(() => {
    // At once, since each takes a second until it gives up.
    for (const [title, uri, environment] of sources) {
      const said = servers.map((server) => tried({ MODEL_URI: uri(server), ...environment(server) }));
      told.set(title, Promise.all(said));
    }
  });

  for (const [title] of sources) {
    it(`appear in no log and no termination message: ${title}`, async () => {
      const said = await told.get(title);
      expect(said).to.have.length(STATUSES.length);
      for (const secret of [SECRET, NAME, KEY, BASIC]) expect(said?.join("\n")).to.not.include(secret);
    });
  }

  /** All that is logged, and what the termination message says. */
  async function tried(environment: Environment): Promise<string> {
    const lines: string[] = [];
    const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
    const config = readConfig({ LOAD_DEADLINE_SECONDS: "1", MODEL_CACHE_DIR: scratch.path("cache"), ...environment });
    try {
      lines.push(JSON.stringify(await fetchArtifact(config, logger, new AbortController().signal)));
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      lines.push(terminationMessage(error));
    }
    return lines.join("\n");
  }
});

describe("A source without credentials", () => {
  const scratch = new Scratch();
  const server = new TestServer((_, response) => void response.writeHead(401).end("anonymous"));

  for (const [title, environment, reason] of [
    ["s3", () => ({ AWS_EC2_METADATA_DISABLED: "true" }), "AccessDenied"],
    ["gs", () => ({ STORAGE_EMULATOR_HOST: server.url }), "AccessDenied"],
    ["az", () => ({}), "InvalidConfiguration"],
  ] as const) {
    it(`says what to give: ${title}`, async () => {
      const common = { TERMINATION_MESSAGE_PATH: scratch.path(title), MODEL_CACHE_DIR: scratch.path("cache") };
      await using runtime = new RuntimeProcess({ MODEL_URI: `${title}://models/m/`, ...common, ...environment() });
      expect(await runtime.exited).to.equal(1);
      const said = JSON.parse(await scratch.text(title)) as Record<string, unknown>;
      expect(said).to.include({ reason, permanent: true });
      expect(said["message"]).to.match(/set source\.secretRef/);
      if (title !== "az") expect(said["message"]).to.match(/or give the pod's service account an identity/);
    });
  }
});
