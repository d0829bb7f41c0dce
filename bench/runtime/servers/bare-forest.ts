/**
 * The least that any server on Node can do for the forest: it knows by heart the request that it was sent before, reads
 * nothing but that one's numbers, checks nothing, counts nothing, and writes the answer as a text with gaps. Those of a turn
 * share a run. `node bare-forest.ts MODEL`.
 */
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

import { isAt } from "../../../runtime/bytes-at.ts";
import "../../../runtime/model/no-telemetry.ts";
import { readNumbers } from "../../../runtime/protocol/json-numbers.ts";
import { InferenceSession, Tensor } from "onnxruntime-node";

const COLUMNS = 16;

const session = await InferenceSession.create(process.argv[2] ?? "", { intraOpNumThreads: 1, interOpNumThreads: 1 });

/** A request around its numbers. */
interface Known {
  readonly start: Buffer;
  readonly end: Buffer;
}
let known: Known | undefined;
let waiting: Socket[] = [];
const rows = new Float32Array(COLUMNS * 1024);
let answers = 0;

const server = createServer({ noDelay: true }, (socket) => {
  let received: Buffer | undefined;
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const bytes = received ? Buffer.concat([received, chunk]) : chunk;
    received = undefined;
    if (!known || !isAt(bytes, 0, known.start)) known = learn(bytes);
    const row: number[] = [];
    const end = known ? readNumbers(bytes, known.start.length, COLUMNS, row) : -1;
    if (known && end > 0 && isAt(bytes, end, known.end)) {
      rows.set(row, waiting.length * COLUMNS);
      if (waiting.push(socket) === 1) setImmediate(() => void answer());
    } else {
      received = bytes; // not all of it is here
    }
  });
}).listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as AddressInfo).port}`));

function learn(bytes: Buffer): Known | undefined {
  const list = '"data":[';
  const start = bytes.indexOf(list) + list.length;
  const end = bytes.indexOf("]", start);
  return start < list.length || end < 0
    ? undefined
    : { start: Buffer.from(bytes.subarray(0, start)), end: Buffer.from(bytes.subarray(end)) };
}

async function answer(): Promise<void> {
  const sockets = waiting;
  waiting = [];
  const features = new Tensor("float32", rows.slice(0, sockets.length * COLUMNS), [sockets.length, COLUMNS]);
  const outputs = await session.run({ features });
  const label = outputs["label"]?.data as BigInt64Array;
  const probabilities = outputs["probabilities"]?.data as Float32Array;
  for (const [row, socket] of sockets.entries()) {
    const json =
      `{"model_name":"model","model_version":"1","parameters":{"model_variant":"default"},"outputs":[{"name":"label",` +
      `"datatype":"INT64","shape":[1],"data":[${label[row]}]},{"name":"probabilities","datatype":"FP32","shape":[1,2],` +
      `"data":[${probabilities[2 * row]},${probabilities[2 * row + 1]}]}]}`;
    answers += 1;
    socket.write(
      `HTTP/1.1 200 OK\r\nx-request-id: ${answers}\r\ncontent-type: application/json\r\n` +
        `content-length: ${json.length}\r\n\r\n${json}`,
      "latin1",
    );
  }
}
