import { fileURLToPath } from "node:url";

import { isLinkLocal } from "../source/link-local.ts";

/** Where prediction lines go. */
export type SinkAddress =
  | { readonly kind: "stdout" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "http"; readonly url: URL };

/** Throws a TypeError, which never repeats the address: it may hold a secret. */
export function parseSinkAddress(text: string): SinkAddress {
  if (text === "stdout") return { kind: "stdout" };
  const url = URL.parse(text);
  if (url?.protocol === "file:") return { kind: "file", path: filePath(url) };
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new TypeError("expected stdout, file:///path, http://… or https://…");
  }
  if (url.username || url.password) {
    throw new TypeError("credentials do not belong into the address: set LOG_PREDICTIONS_AUTHORIZATION");
  }
  if (isLinkLocal(url.hostname)) throw new TypeError(`${url.hostname} is a link-local address`);
  return { kind: "http", url };
}

/** An address as the log may show it: a query may be a signature. */
export function shownSink(address: SinkAddress): string {
  if (address.kind === "stdout") return "stdout";
  return address.kind === "file" ? `file://${address.path}` : `${address.url.origin}${address.url.pathname}`;
}

function filePath(url: URL): string {
  try {
    if (!url.pathname.endsWith("/")) return fileURLToPath(url);
  } catch {
    // said below: the system's message would repeat the address
  }
  throw new TypeError("expected an absolute path to a file: file:///folder/name.jsonl");
}
