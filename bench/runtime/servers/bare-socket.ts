/** The least that any server on Node can do: it answers whatever comes, without HTTP, JSON or a model. */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

/** As long as the forest's. */
const BODY = "x".repeat(220);
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", () => void socket.write(ANSWER, "latin1"));
}).listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as AddressInfo).port}`));
