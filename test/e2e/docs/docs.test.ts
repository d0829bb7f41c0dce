import { expect } from "chai";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

import { RuntimeProcess } from "../../runtime/support/runtime-process.ts";
import { Scratch, graph } from "../../runtime/support/scratch.ts";

// Needs a Chromium, whose path is in CHROMIUM.
describe("/docs in a browser", () => {
  const scratch = new Scratch();
  let browser: Browser | undefined;
  before(async () => {
    const executablePath = process.env["CHROMIUM"] ?? "";
    expect(executablePath, "CHROMIUM").to.not.equal("");
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });
  after(() => browser?.close());

  it("lets a person fill in the fields, send, and see the answer or what is wrong, without any other host", async () => {
    await using runtime = new RuntimeProcess({ MODEL_URI: "examples/loan/1.0.0", MODEL_NAME: "loan" });
    await runtime.logged("ready");
    const page = await browser!.newPage();
    const hosts = new Set<string>();
    const errors: string[] = [];
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (line) => line.type() === "error" && !line.text().includes("422") && errors.push(line.text()));

    const url = await runtime.url("/docs");
    await page.goto(url);
    await page.fill("input[name=age]", "34");
    await page.fill("input[name=income]", "52000.5");
    await page.fill("input[name=credit_score]", "700");
    expect(await page.textContent("#request")).to.include('{"age":34,"income":52000.5,"credit_score":700}');
    await page.click("button");
    await page.waitForFunction("document.querySelector('#answer').textContent !== ''");
    expect(JSON.parse((await page.textContent("#answer"))!)).to.include({
      prediction: "approved",
      model_version: "1.0.0",
    });

    await page.fill("input[name=income]", "1e39");
    await page.click("button");
    await page.waitForSelector("#answer.refused");
    expect(await page.textContent("#answer")).to.include("finite number");
    expect([...hosts].filter((host) => host !== "")).to.deep.equal([new URL(url).host]);
    expect(errors).to.deep.equal([]);
    await page.close();
  });

  it("shows names as text, whatever they are", async () => {
    const name = "<img src=x onerror=alert(1)>";
    const MODEL_URI = await scratch.folder({
      "model.onnx": graph("lookup"),
      "metadata.json": { features: [name], model_type: name },
    });
    await using runtime = new RuntimeProcess({ MODEL_URI });
    await runtime.logged("ready").catch(() => expect.fail(runtime.log));
    const page = await browser!.newPage();
    await page.goto(await runtime.url("/docs"));
    expect(await page.textContent("label")).to.include(name);
    expect(await page.locator("img").count()).to.equal(0);
    await page.close();
  });
});
