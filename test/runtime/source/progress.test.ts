import { setTimeout as delay } from "node:timers/promises";

import { expect } from "chai";
import { pino } from "pino";

import { readConfig } from "../../../runtime/config.ts";
import { fetchArtifact } from "../../../runtime/source/artifact.ts";
import { TestServer } from "../support/http-server.ts";
import { Scratch } from "../support/scratch.ts";

const BYTES = 1_000_000;

describe("A long download", () => {
  const scratch = new Scratch();
  const lines: { msg: string; source: string; file_bytes?: number; of?: number }[] = [];
  const server = new TestServer((_, response) => {
    response.writeHead(200, { "content-length": BYTES });
    void dribble();

    async function dribble(): Promise<void> {
      let sent = 0;
      for (; !lines.some(({ msg }) => msg === "downloading"); sent += 1) {
        response.write("x");
        await delay(50);
      }
      response.end("x".repeat(BYTES - sent));
    }
  });

  it("tells the log how far it has come", async () => {
    const config = readConfig({ MODEL_URI: `${server.url}/model.onnx?key=k`, MODEL_CACHE_DIR: scratch.path("cache") });
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) });
    await fetchArtifact(config, logger, new AbortController().signal);
    const [line] = lines.filter(({ msg }) => msg === "downloading");
    expect(line).to.include({ of: BYTES, source: `${server.url}/model.onnx` });
    expect(line?.file_bytes).to.be.within(1, BYTES - 1);
  });
});
