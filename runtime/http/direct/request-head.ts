import type { IncomingHttpHeaders } from "node:http";

/** The head of a request that leaves nothing to interpretation, so that every HTTP implementation reads it alike. */
export interface RequestHead {
  readonly url: string;
  /** The URL without its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Where in the request's bytes its body begins. */
  readonly bodyStart: number;
  /** All bytes of the request. */
  readonly size: number;
}

const MAX_HEAD_BYTES = 8192;
/** A body as large as that costs so much more than its head that it matters no longer who reads it. */
const MAX_BODY_BYTES = 65_536;

const END_OF_HEAD = Buffer.from("\r\n\r\n");
const REQUEST_LINE = /^POST (\/[\w.~!$&'()*+,;=:@%/-]*)(\?[\w.~!$&'()*+,;=:@%/?-]*)? HTTP\/1\.1\r\n/;
const FIELD_LINE = /([\w!#$%&'*+.^`|~-]+):[ \t]*([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?[ \t]*\r\n/y;
const DECIMAL = /^(?:0|[1-9]\d{0,8})$/;

/** Fields that change what the bytes mean. Their rules are those of node:http. */
const UNUSUAL = new Set(["content-encoding", "expect", "proxy-connection", "trailer", "transfer-encoding", "upgrade"]);

/**
 * Reads the head at the beginning of `bytes` if it is whole and plain: a POST by HTTP/1.1 with Host, Content-Length, and
 * otherwise fields that say nothing about the message itself, none of them twice. Undefined for whatever else.
 */
export function readRequestHead(bytes: Buffer): RequestHead | undefined {
  const end = bytes.indexOf(END_OF_HEAD);
  if (end < 0 || end > MAX_HEAD_BYTES) return undefined;
  const head = bytes.toString("latin1", 0, end + 2);
  const requestLine = REQUEST_LINE.exec(head);
  if (requestLine === null) return undefined;
  const [line, path = "", query = ""] = requestLine;
  const headers = readFields(head, line.length);
  if (headers === undefined) return undefined;
  const bodyBytes = bodyLength(headers);
  if (bodyBytes === undefined) return undefined;
  const bodyStart = end + END_OF_HEAD.length;
  return { url: path + query, path, headers, bodyStart, size: bodyStart + bodyBytes };
}

/**
 * Undefined when a line is no field, or when a field comes twice: which of the two counts is for node:http to say, as
 * are the names that every object has.
 */
function readFields(head: string, start: number): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = {};
  let position = start;
  while (position < head.length) {
    FIELD_LINE.lastIndex = position;
    const field = FIELD_LINE.exec(head);
    if (field === null) return undefined;
    const name = (field[1] as string).toLowerCase();
    if (name in headers) return undefined;
    headers[name] = field[2] ?? "";
    position = FIELD_LINE.lastIndex;
  }
  return headers;
}

/** Undefined unless the body is a small one of a known length on a connection that stays. */
function bodyLength(headers: IncomingHttpHeaders): number | undefined {
  const { host, connection, "content-length": length } = headers;
  if (host === undefined || length === undefined || !DECIMAL.test(length) || Number(length) > MAX_BODY_BYTES)
    return undefined;
  if (connection !== undefined && connection.toLowerCase() !== "keep-alive") return undefined;
  for (const name in headers) if (UNUSUAL.has(name)) return undefined;
  return Number(length);
}
