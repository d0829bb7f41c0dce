import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { follow, type Edit } from "../../../local/model-folder/follow.ts";
import { Snapshots, type Snapshot } from "../../../local/model-folder/snapshots.ts";

describe("following a model's folder", function () {
  this.timeout(30_000);
  let scratch: string;
  let model: string;
  let snapshots: Snapshots;
  let ending: AbortController;
  let edits: AsyncGenerator<Edit>;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), "slipway-follow-"));
    model = join(scratch, "model");
    mkdirSync(model);
    writeFileSync(join(model, "model.onnx"), "one");
    snapshots = new Snapshots(join(scratch, "snapshots"));
    ending = new AbortController();
    edits = follow({ model, snapshots, signal: ending.signal });
  });
  afterEach(async () => {
    ending.abort();
    await edits.return(undefined);
    rmSync(scratch, { recursive: true, force: true });
  });
  const edit = async (): Promise<Edit> => {
    const { value } = await edits.next();
    if (value === undefined) throw new Error("it has ended");
    return value;
  };
  const snapshot = async (): Promise<Snapshot> => {
    const next = await edit();
    if (next.is !== "changed") throw new Error(next.why);
    return next.snapshot;
  };
  const graphOf = ({ path }: Snapshot): string => readFileSync(join(path, "model.onnx"), "utf8");

  it("begins with the model as it is", async () => {
    expect(graphOf(await snapshot())).to.equal("one");
  });

  it("tells of a file that was written, and keeps what was there before", async () => {
    const before = await snapshot();
    writeFileSync(join(model, "model.onnx"), "two");
    expect(graphOf(await snapshot())).to.equal("two");
    expect(graphOf(before)).to.equal("one");
  });

  it("tells of files that appear, in folders too", async () => {
    const { digest } = await snapshot();
    mkdirSync(join(model, "weights"));
    writeFileSync(join(model, "weights/0"), "w");
    const after = await snapshot();
    expect(after.digest).to.not.equal(digest);
    expect(readFileSync(join(after.path, "weights/0"), "utf8")).to.equal("w");
  });

  it("tells of another folder in its place, and of edits of that", async () => {
    await snapshot();
    cpSync(model, join(scratch, "other"), { recursive: true });
    writeFileSync(join(scratch, "other/model.onnx"), "two");
    rmSync(model, { recursive: true });
    renameSync(join(scratch, "other"), model);
    let next = await edit();
    if (next.is === "unreadable") next = await edit(); // the moment between was long enough to be seen
    expect(next.is === "changed" && graphOf(next.snapshot)).to.equal("two");
    writeFileSync(join(model, "model.onnx"), "three");
    expect(graphOf(await snapshot())).to.equal("three");
  });

  it("has the same source for the same bytes again", async () => {
    const before = await snapshot();
    writeFileSync(join(model, "model.onnx"), "two");
    const between = await snapshot();
    writeFileSync(join(model, "model.onnx"), "one");
    expect(await snapshot()).to.deep.equal(before);
    expect(between.source).to.not.deep.equal(before.source);
  });

  it("tells nothing of a file that was written as it was", async () => {
    await snapshot();
    writeFileSync(join(model, "model.onnx"), "one");
    const next = snapshot();
    writeFileSync(join(model, "model.onnx"), "two");
    expect(graphOf(await next)).to.equal("two");
  });

  it("tells once that the folder is gone, and of its coming back", async () => {
    const before = await snapshot();
    renameSync(model, join(scratch, "away"));
    expect(await edit()).to.deep.include({ is: "unreadable" });
    renameSync(join(scratch, "away"), model);
    expect(await snapshot()).to.deep.equal(before);
  });
});

describe("a model's copies", () => {
  let scratch: string;
  beforeEach(() => (scratch = mkdtempSync(join(tmpdir(), "slipway-snapshots-"))));
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  it("have of a single graph its weights too, and none of its neighbours", async () => {
    for (const file of ["net.onnx", "net.onnx.data", "other.onnx"]) writeFileSync(join(scratch, file), file);
    const snapshots = new Snapshots(join(scratch, "snapshots"));
    const before = await snapshots.take(join(scratch, "net.onnx"));
    expect(before?.source.uri).to.match(/\/net\.onnx$/);
    expect(readdirSync(join(before?.path ?? "", ".."))).to.deep.equal(["net.onnx", "net.onnx.data"]);
    appendFileSync(join(scratch, "net.onnx.data"), "more");
    const after = await snapshots.take(join(scratch, "net.onnx"));
    expect(after?.source.uri).to.not.equal(before?.source.uri);
    expect(after?.source.sha256).to.equal(before?.source.sha256);
  });

  it("hold files, not links to them", async () => {
    writeFileSync(join(scratch, "weights"), "1");
    mkdirSync(join(scratch, "model"));
    symlinkSync(join(scratch, "weights"), join(scratch, "model/model.onnx"));
    const taken = await new Snapshots(join(scratch, "snapshots")).take(join(scratch, "model"));
    writeFileSync(join(scratch, "weights"), "2");
    expect(readFileSync(join(taken?.path ?? "", "model.onnx"), "utf8")).to.equal("1");
  });

  describe("when old ones are forgotten", () => {
    let snapshots: Snapshots;
    let digests: string[];
    beforeEach(async () => {
      snapshots = new Snapshots(join(scratch, "snapshots"));
      digests = [];
      mkdirSync(join(scratch, "model"));
      for (let edit = 0; edit < 12; edit++) {
        writeFileSync(join(scratch, "model/model.onnx"), String(edit));
        const { path = "", digest = "" } = (await snapshots.take(join(scratch, "model"))) ?? {};
        utimesSync(path, edit, edit); // a fast machine takes two of them in one millisecond
        digests.push(digest);
      }
    });
    const kept = () => new Set(readdirSync(join(scratch, "snapshots")));

    it("are the ten newest", async () => {
      await snapshots.forgetOld(() => false);
      expect(kept()).to.deep.equal(new Set(digests.slice(2)));
    });

    it("are those too that something names, however old", async () => {
      await snapshots.forgetOld((digest) => digest === digests[0]);
      expect(kept()).to.deep.equal(new Set([digests[0], ...digests.slice(2)]));
    });

    it("are none that a killed process left unfinished", async () => {
      mkdirSync(join(scratch, "snapshots/.unfinished-1"));
      await snapshots.forgetOld(() => true);
      expect(kept()).to.deep.equal(new Set(digests));
    });
  });

  it("are told from other sources", async () => {
    writeFileSync(join(scratch, "net.onnx"), "");
    const taken = await new Snapshots(join(scratch, "copies")).take(join(scratch, "net.onnx"));
    const uri = taken?.source.uri ?? "";
    expect(new Snapshots(join(scratch, "copies")).holds(uri)).to.equal(true);
    expect(new Snapshots(join(scratch, "cop")).holds(uri)).to.equal(false);
  });
});
