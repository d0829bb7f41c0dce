import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import { BINARY_HEADER } from "../../protocol/infer-body.ts";
import type { HotResponse } from "../hot-endpoint.ts";

/**
 * Writes what node:http would write, in one piece. `keepAliveMs` is how long the connection then stays open; undefined
 * when this is its last answer. False when the client does not keep up with its answers.
 */
export function writeResponse(socket: Socket, response: HotResponse, keepAliveMs: number | undefined): boolean {
  const { json, isAscii, raw } = response;
  const jsonBytes = isAscii ? json.length : Buffer.byteLength(json); // to count them, V8 first copies what was put together
  const text = head(response, jsonBytes, keepAliveMs) + json;
  if (raw === undefined) return socket.write(text, jsonBytes === json.length ? "latin1" : "utf8");
  socket.cork();
  socket.write(text, "utf8");
  for (const bytes of raw) socket.write(bytes);
  socket.uncork();
  return !socket.writableNeedDrain;
}

function head({ status, headers, raw }: HotResponse, jsonBytes: number, keepAliveMs: number | undefined): string {
  let text = status === 200 ? OK : `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  text +=
    raw === undefined
      ? `content-type: application/json\r\ncontent-length: ${jsonBytes}\r\n`
      : `content-type: application/octet-stream\r\n${BINARY_HEADER}: ${jsonBytes}\r\n` +
        `content-length: ${raw.reduce((total, { length }) => total + length, jsonBytes)}\r\n`;
  text += `Date: ${httpDate()}\r\n`;
  if (headers["connection"] !== undefined) return `${text}\r\n`;
  if (keepAliveMs === undefined) return `${text}Connection: close\r\n\r\n`;
  return `${text}Connection: keep-alive\r\nKeep-Alive: timeout=${keepAliveMs / 1000}\r\n\r\n`;
}

const OK = "HTTP/1.1 200 OK\r\n";
const current = { second: Number.NaN, text: "" };

/** Made anew once a second only. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== current.second) Object.assign(current, { second, text: new Date(second * 1000).toUTCString() });
  return current.text;
}
