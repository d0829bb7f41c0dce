import type { Duplex } from "node:stream";

/** Answers bytes that are no HTTP request, or not yet one, and closes the connection. */
export function refuse(socket: Duplex, status: string): void {
  const body = JSON.stringify({ error: status });
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.end(`${head}\r\n\r\n${body}`);
}
