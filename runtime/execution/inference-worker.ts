/** The thread in which heavy models run; started by worker-pipeline.ts. */
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";

import { openPipeline } from "../model/open-pipeline.ts";
import { tensorOf } from "../model/tensor.ts";
import { releaseMemory } from "../release-memory.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import { ownBuffer } from "./own-buffer.ts";

const port = parentPort as MessagePort;
const { folder, files, intraOpThreads, source } = workerData as WorkerSetup;
const { pipeline } = await openPipeline(folder, files, intraOpThreads, source);

const reply = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

async function answer(message: ToWorker): Promise<void> {
  if ("stop" in message) {
    await pipeline.close();
    port.close();
    return;
  }
  const { run } = message;
  try {
    const feeds = Object.fromEntries(
      message.feeds.map(({ name, type, dims, data }) => [name, tensorOf(type, data, dims)] as const),
    );
    const outputs = await pipeline.run(feeds);
    reply({ run, outputs }, outputs.flatMap(ownBuffer));
  } catch (error) {
    reply({ run, error: (error as Error).message });
  } finally {
    for (const { data } of message.feeds) if (ArrayBuffer.isView(data)) releaseMemory(data);
  }
}

port.on("message", (message: ToWorker) => void answer(message));
reply({ ready: true });
