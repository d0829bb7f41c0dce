/**
 * Starts a built runtime, asks it what a pod is asked at first, and stops it, so that NODE_COMPILE_CACHE holds all of that
 * compiled: `node warm-runtime.ts MAIN MODEL_FOLDER`. Fails when the runtime does not serve.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const [main, model] = process.argv.slice(2);
if (main === undefined || model === undefined) throw new Error("expected the runtime's main file and a model's folder");

const env = { ...process.env, MODEL_URI: model, PORT: "0", GRPC_PORT: "0", HOST: "127.0.0.1", DRAIN_SECONDS: "0" };
const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
const exited = once(child, "exit");
let port = 0;
for await (const line of createInterface({ input: child.stdout })) {
  console.log(line);
  const { msg, port: listening } = JSON.parse(line) as { msg: string; port?: number };
  if (msg === "listening") port = listening ?? 0;
  if (msg !== "ready") continue;
  for (const path of ["/health", "/metrics", "/v2", "/openapi.json"]) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  }
  child.kill("SIGTERM");
}
const [code] = (await exited) as [number | null];
if (code !== 0) throw new Error(`the runtime ended with code ${code}`);
