import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import type { Pipeline } from "../model/pipeline.ts";
import type { Feeds } from "../model/session.ts";
import { isElementType } from "../model/tensor.ts";
import type { OutputTensor } from "../model/tensor.ts";
import type { FromWorker, SentTensor, ToWorker, WorkerSetup } from "./messages.ts";
import { ownBuffer } from "./own-buffer.ts";

interface PendingRun {
  readonly resolve: (outputs: OutputTensor[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The same pipeline in a thread of its own, so that a long run delays neither health checks nor the parsing of other
 * requests. Resolves when the thread has opened the graphs. A thread that dies takes the process with it.
 */
export async function startWorkerPipeline(pipeline: Pipeline, setup: WorkerSetup): Promise<Pipeline> {
  const script = new URL(`./inference-worker${extname(import.meta.filename)}`, import.meta.url);
  const worker = new Worker(script, { workerData: setup });
  const pending = new Map<number, PendingRun>();
  let runs = 0;
  let stopping = false;
  await once(worker, "message");

  worker.on("message", (message: FromWorker) => {
    if (!("run" in message)) return;
    const waiting = pending.get(message.run);
    pending.delete(message.run);
    if ("error" in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve([...message.outputs]);
  });
  worker.on("exit", (code) => {
    if (!stopping) throw new Error(`the inference thread ended by itself with code ${code}`);
  });

  return {
    inputs: pipeline.inputs,
    outputs: pipeline.outputs,
    run(feeds) {
      const run = (runs += 1);
      const tensors = sent(feeds);
      return new Promise((resolve, reject) => {
        pending.set(run, { resolve, reject });
        worker.postMessage({ run, feeds: tensors } satisfies ToWorker, tensors.flatMap(ownBuffer));
      });
    },
    /** Never worker.terminate(): it aborts the whole process when the thread is inside of a run. */
    async close() {
      stopping = true;
      const exited = once(worker, "exit");
      worker.postMessage({ stop: true } satisfies ToWorker, []);
      await exited;
    },
  };
}

function sent(feeds: Feeds): SentTensor[] {
  return Object.entries(feeds).map(([name, { type, dims, data }]) => {
    if (!isElementType(type)) throw new TypeError(`input ${name} is of type ${type}, which no request can carry`);
    // A view of a larger buffer would take the rest of it along.
    const isView = ArrayBuffer.isView(data) && data.byteLength < data.buffer.byteLength;
    return { name, type, dims, data: isView ? data.slice() : data };
  });
}
