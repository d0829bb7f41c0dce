import { Client, credentials } from "@grpc/grpc-js";

import { MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE } from "../../../runtime/grpc/inference-messages.ts";
import { requireSame } from "../answers.ts";
import { measureGrpc } from "../load/grpc.ts";
import type { GrpcTarget } from "../load/grpc.ts";
import { rateOf, ratio, ratioSeconds } from "../plan.ts";
import type { Figure, Plan } from "../plan.ts";
import type { ServerProcess } from "../server-process.ts";
import { grpcPortOf, startMlServer, startRuntime } from "../servers.ts";
import { FOREST, FOREST_ROW } from "../workloads.ts";

const STREAMS = 64;
const METHOD = "/inference.GRPCInferenceService/ModelInfer";

export const GRPC_FIGURE: Figure = {
  id: "grpc",
  name: "forest gRPC infer, 64 streams, against MLServer's gRPC, one worker",
  goal: { atLeast: 8 },
  seconds: (plan) => ratioSeconds(plan) + 15,
  measure: againstMlServer,
};

async function againstMlServer(plan: Plan): Promise<number> {
  const { http, grpcPort } = await startMlServer(FOREST);
  await using peer = http;
  await using runtime = await startRuntime(FOREST, { GRPC_PORT: "0" });
  const [ours, theirs] = [grpcPortOf(runtime), grpcPort].map((port) => ({
    port,
    method: METHOD,
    message: request(),
  })) as [GrpcTarget, GrpcTarget];
  requireSame(await outputsOf(ours), await outputsOf(theirs));
  const rate = (name: string, server: ServerProcess, target: GrpcTarget) =>
    rateOf(plan, name, server, (seconds) => measureGrpc(target, STREAMS, seconds));
  return await ratio(plan, rate("ours", runtime, ours), rate("MLServer", peer, theirs));
}

/** The tensor as raw bytes, as client libraries send it. */
function request(): Buffer {
  const { name, shape, data } = FOREST_ROW;
  return MODEL_INFER_REQUEST.encode({
    model_name: "model",
    inputs: [{ name, datatype: "FP32", shape: shape.map(BigInt) }],
    raw_input_contents: [new Uint8Array(Float32Array.from(data).buffer)],
  });
}

/** What a whole client of gRPC gets, labels left out: servers differ in whether these are raw. */
async function outputsOf({ port, method, message }: GrpcTarget): Promise<Record<string, number[]>> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const whole = (bytes: Buffer): Buffer => bytes;
      client.makeUnaryRequest(method, whole, whole, message, (error, value) => {
        if (error || value === undefined) reject(error ?? new Error(`${method} answered nothing`));
        else resolve(value);
      });
    });
    const { outputs, raw_output_contents: raw } = MODEL_INFER_RESPONSE.decode(answer);
    return Object.fromEntries(
      outputs.flatMap(({ name = "", datatype, contents }, at) =>
        datatype === "FP32"
          ? [[name, [...(contents?.fp32_contents?.length ? contents.fp32_contents : floats(raw[at]))]]]
          : [],
      ),
    );
  } finally {
    client.close();
  }
}

function floats(bytes: Uint8Array = new Uint8Array(0)): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
