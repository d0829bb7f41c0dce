import { readFileSync } from "node:fs";
import { endianness } from "node:os";

/** The state of a listening socket in /proc/net/tcp (include/net/tcp_states.h: TCP_LISTEN). */
const LISTEN = "0A";

/**
 * The IPv4 addresses of this machine on which some process listens, whatever the port. Linux only: elsewhere it knows of
 * none.
 */
export function listeningAddresses(): ReadonlySet<string> {
  if (process.platform !== "linux") return new Set();
  const [, ...sockets] = readFileSync("/proc/net/tcp", "utf8").trimEnd().split("\n");
  const addresses = sockets.flatMap((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    return state === LISTEN ? [dotted(local.slice(0, local.indexOf(":")))] : [];
  });
  return new Set(addresses);
}

/** @param word the address as the kernel prints it: one number of the machine's own byte order, in hexadecimal */
function dotted(word: string): string {
  const bytes = Buffer.from(word, "hex");
  return (endianness() === "LE" ? bytes.reverse() : bytes).join(".");
}
