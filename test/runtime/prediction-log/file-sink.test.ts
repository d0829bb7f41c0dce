import { stat, truncate, writeFile } from "node:fs/promises";

import { expect } from "chai";

import { fileSink } from "../../../runtime/prediction-log/file-sink.ts";
import type { Line, Sink } from "../../../runtime/prediction-log/sink.ts";
import { LogFile } from "./log-file.ts";

const lines = (first: number, count: number): Line[] =>
  Array.from({ length: count }, (_, index) => {
    const json = JSON.stringify({ number: first + index, filler: "x".repeat(80) });
    return { json, requestId: "r", time: "2026-01-01T00:00:00Z" };
  });

async function using(path: string, options: Parameters<typeof fileSink>[1], use: (sink: Sink) => Promise<void>) {
  const sink = await fileSink(path, options);
  try {
    await use(sink);
  } finally {
    await sink.close();
  }
}

describe("A prediction log in a file", () => {
  const log = new LogFile();
  const numbers = async (path: string): Promise<unknown[]> => (await log.lines(path)).map(({ number }) => number);

  it("is put aside when it is full, and only so many files are kept", async () => {
    const path = `${log.path}-rotated`;
    await using(path, { maxBytes: 1200, maxFiles: 3 }, async (sink) => {
      for (let first = 0; first < 45; first += 5) {
        expect(await sink.write(lines(first, 5))).to.deep.equal({ written: 5 });
      }
    });
    const names = (await log.files()).filter((name) => name.includes("-rotated")).toSorted();
    expect(names.map((name) => name.replace(/.*-rotated/, ""))).to.deep.equal(["", ".1", ".2"]);
    expect(await numbers(path)).to.deep.equal([40, 41, 42, 43, 44]);
    expect(await numbers(`${path}.1`)).to.deep.equal([30, 31, 32, 33, 34, 35, 36, 37, 38, 39]);
    for (const name of names) expect((await stat(`${log.folder}/${name}`)).size).to.be.at.most(1200);
  });

  it("starts anew where only one file is kept", async () => {
    const path = `${log.path}-single`;
    await using(path, { maxBytes: 1200, maxFiles: 1 }, async (sink) => {
      for (let first = 0; first < 30; first += 10) await sink.write(lines(first, 10));
    });
    expect(await numbers(path)).to.deep.equal([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  });

  it("goes on where a former process ended, and is for its owner's eyes only", async () => {
    const path = `${log.path}-continued`;
    for (const first of [0, 2]) {
      await using(path, { maxBytes: 10_000, maxFiles: 2 }, async (sink) => {
        await sink.write(lines(first, 2));
      });
    }
    expect(await numbers(path)).to.deep.equal([0, 1, 2, 3]);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  it("goes on at the start of a line after an operator emptied the file", async () => {
    const path = `${log.path}-emptied`;
    await using(path, { maxBytes: 10_000, maxFiles: 2 }, async (sink) => {
      await sink.write(lines(0, 3));
      await truncate(path);
      await sink.write(lines(3, 2));
    });
    expect(await numbers(path)).to.deep.equal([3, 4]);
  });

  it("tells of a full disk how many lines are lost, and does not stop", async () => {
    await using("/dev/full", { maxBytes: 10_000, maxFiles: 2 }, async (sink) => {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const { written, error } = await sink.write(lines(0, 3));
        expect(written).to.equal(0);
        expect(error?.message).to.match(/ENOSPC/);
      }
    });
  });

  it("cannot be opened where there is no folder", async () => {
    await writeFile(`${log.path}-no-folder`, "");
    const opened = fileSink(`${log.path}-no-folder/file`, { maxBytes: 1000, maxFiles: 2 });
    expect(await opened.catch((error: NodeJS.ErrnoException) => error.code)).to.equal("ENOTDIR");
  });
});
