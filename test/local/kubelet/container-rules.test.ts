import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import * as fc from "fast-check";
import { writeFolderAtomically } from "../../../local/kubelet/atomic-folder.ts";
import { ContainerPaths } from "../../../local/kubelet/container-paths.ts";
import { CrashBackoff } from "../../../local/kubelet/crash-backoff.ts";
import { PodAddresses } from "../../../local/kubelet/pod-addresses.ts";
import { chooseProgram, imageName } from "../../../local/kubelet/programs.ts";
import { amountOf } from "../../../local/kubelet/quantity.ts";

describe("which program stands for an image", () => {
  for (const [reference, name] of [
    ["slipway-runtime", "slipway-runtime"],
    ["ghcr.io/slipway-dev/slipway-runtime:0.1.0", "slipway-runtime"],
    ["localhost:5000/slipway-runtime", "slipway-runtime"],
    ["localhost:5000/a/b/envoy:distroless-v1.40.0@sha256:0123", "envoy"],
  ] as const)
    it(`${reference} is ${name}`, () => expect(imageName(reference)).to.equal(name));

  const programs = [{ image: "envoy", command: ["/bin/envoy"] as const }];
  for (const [title, container, expected] of [
    ["appends the arguments", { args: ["-c", "x"] }, ["-c", "x"]],
    ["drops an argument that only names the program", { args: ["envoy", "-c", "x"] }, ["-c", "x"]],
    ["keeps what follows a command's first word", { command: ["envoy", "-l"], args: ["debug"] }, ["-l", "debug"]],
  ] as const)
    it(title, () => {
      const { command: given, args } = { command: undefined, ...container };
      const choice = chooseProgram(programs, {
        image: "envoy:1",
        args: [...args],
        ...(given && { command: [...given] }),
      });
      expect(choice).to.deep.equal({ command: ["/bin/envoy"], args: expected });
    });
});

describe("a container's paths", () => {
  const paths = new ContainerPaths("/pod", ["/etc/slipway/traffic/", "/models/loan", "/dev/termination-log"]);
  for (const [value, expected] of [
    ["/etc/slipway/traffic", "/pod/etc/slipway/traffic"],
    ["/etc/slipway/traffic/envoy.yaml", "/pod/etc/slipway/traffic/envoy.yaml"],
    ["--config=/models/loan/x", "--config=/pod/models/loan/x"],
    ["/models", "/pod/models"],
    ["/dev/termination-log", "/pod/dev/termination-log"],
    ["/models/loan2", "/models/loan2"],
    ["/", "/"],
    ["", ""],
    ["configmap://loan", "configmap://loan"],
    ["file:///models/loan", "file:///models/loan"],
  ] as const)
    it(`leads from ${JSON.stringify(value)} to ${JSON.stringify(expected)}`, () =>
      expect(paths.localise(value)).to.equal(expected));
});

describe("a mounted folder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "slipway-folder-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("changes from one generation to the next, with no file of the former left", () => {
    const file = (text: string) => Buffer.from(text);
    writeFolderAtomically(
      folder,
      new Map([
        ["a", file("1")],
        ["b/c", file("1")],
      ]),
    );
    const former = readlinkSync(join(folder, "..data"));
    writeFolderAtomically(
      folder,
      new Map([
        ["a", file("2")],
        ["d", file("2")],
      ]),
    );
    expect(readFileSync(join(folder, "a"), "utf8")).to.equal("2");
    expect(readdirSync(folder).filter((name) => !name.startsWith(".."))).to.have.members(["a", "d"]);
    expect(readdirSync(folder)).not.to.include(former);
  });
});

describe("the wait before a crashed container runs again", () => {
  it("is none, then ten seconds doubling to five minutes", () => {
    const backoff = new CrashBackoff(10_000);
    const waits = Array.from({ length: 8 }, () => backoff.next(0) / 1000);
    expect(waits).to.deep.equal([0, 10, 20, 40, 80, 160, 300, 300]);
  });

  it("starts from the beginning after ten minutes of health", () => {
    const backoff = new CrashBackoff(10_000);
    for (let crash = 0; crash < 5; crash++) backoff.next(0);
    expect(backoff.next(600_000)).to.equal(0);
  });
});

describe("pod addresses", () => {
  it("are never given twice while in use, and an address that was freed comes back last", () =>
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (steps) => {
        const addresses = new PodAddresses("127.77.9", () => new Set());
        const used: string[] = [];
        for (const take of steps) {
          if (take && used.length < 253) {
            const address = addresses.take();
            if (used.includes(address)) return false;
            used.push(address);
          } else if (used.length > 0) addresses.free(used.shift() ?? "");
        }
        return true;
      }),
    ));

  it("are those of a former run again, where they are free and of this network", () => {
    const addresses = new PodAddresses("127.77.9", () => new Set(["127.77.9.8"]));
    expect(addresses.take("127.77.9.5")).to.equal("127.77.9.5");
    for (const other of ["127.77.9.5", "127.77.9.8", "127.77.8.7", "10.0.0.7"])
      expect(addresses.take(other)).not.to.equal(other);
    const rest = Array.from({ length: 247 }, () => addresses.take());
    expect(rest).not.to.include("127.77.9.5");
  });

  it("are none on which what a killed kubelet left behind still listens", async function () {
    if (process.platform !== "linux") this.skip();
    const orphan = createServer().listen(0, "127.78.9.2");
    await once(orphan, "listening");
    try {
      const addresses = new PodAddresses("127.78.9");
      expect(addresses.take()).to.equal("127.78.9.3");
    } finally {
      orphan.close();
    }
  });
});

describe("a quantity", () => {
  for (const [text, amount] of [
    ["512Mi", 536_870_912],
    ["2", 2],
    ["250m", 0.25],
    ["1.5G", 1_500_000_000],
    ["1e3", 1000],
  ] as const)
    it(`${text} is ${amount}`, () => expect(amountOf(text)).to.equal(amount));
  it("is nothing else", () => expect(() => amountOf("12 apples")).to.throw('"12 apples" is not a Kubernetes quantity'));
});
