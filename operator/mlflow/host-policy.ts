import { lookup } from "node:dns";
import { BlockList, isIP } from "node:net";
import type { LookupFunction } from "node:net";

/** A host that the operator's administrator does not let it talk to. */
export class HostDeniedError extends Error {
  override readonly name = "HostDeniedError";
}

/** Where clouds keep the credentials of machines: never a registry. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6");

/** The operator's own pod, and its administration ports. */
const OWN = new BlockList();
OWN.addSubnet("127.0.0.0", 8, "ipv4");
OWN.addAddress("::1", "ipv6");
OWN.addSubnet("0.0.0.0", 8, "ipv4");
OWN.addAddress("::", "ipv6");

/**
 * Which hosts of users' choice the operator talks to: those that match a pattern (`*`, `mlflow.example.com`,
 * `*.mlops.svc`). Addresses are looked at when connecting, so that a name cannot point elsewhere than it did when it was
 * checked. Link-local addresses are denied always, the operator's own unless the host is listed by its name.
 */
export class HostPolicy {
  readonly #patterns: readonly string[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => pattern.toLowerCase());
  }

  /** @throws HostDeniedError for a host that no pattern lets through, or an address that is denied. */
  check(hostname: string): void {
    const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
    if (!this.#patterns.some((pattern) => matches(pattern, host)))
      throw new HostDeniedError(`${host} is not among the hosts of the operator's --mlflow-hosts`);
    if (isIP(host) !== 0) this.#checkAddress(host, host);
  }

  /** For a socket's `lookup`: the system's, without addresses that are denied. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error) return callback(error, address, family);
      try {
        const found = typeof address === "string" ? [{ address }] : (address as { address: string }[]);
        for (const { address: each } of found) this.#checkAddress(each, hostname.toLowerCase());
      } catch (denied) {
        return callback(denied as HostDeniedError, address, family);
      }
      callback(null, address, family);
    });
  };

  #checkAddress(address: string, host: string): void {
    const kind = isIP(address) === 4 ? "ipv4" : "ipv6"; // a BlockList sees through ::ffff:a.b.c.d
    if (LINK_LOCAL.check(address, kind))
      throw new HostDeniedError(`${host} is the link-local address ${address}, which the operator never talks to`);
    if (OWN.check(address, kind) && !this.#patterns.includes(host))
      throw new HostDeniedError(
        `${host} is the operator's own address ${address}; list it in --mlflow-hosts to allow it`,
      );
  }
}

function matches(pattern: string, host: string): boolean {
  if (pattern === "*") return true;
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
