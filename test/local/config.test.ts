import { expect } from "chai";
import { machineConfig } from "../../local/config.ts";

describe("what programs get of the machine's environment", () => {
  it("is the PATH, and where Node keeps compiled code when that was said", () => {
    const environment = { PATH: "/bin", HOME: "/root", NODE_COMPILE_CACHE: "/compiled" };
    const { HOME: _home, ...taken } = environment;
    expect(machineConfig(environment).programEnvironment).to.deep.equal(taken);
    expect(machineConfig({ PATH: "/bin" }).programEnvironment).to.deep.equal({ PATH: "/bin" });
  });
});
