import { lookup } from "node:dns";
import { BlockList, isIP } from "node:net";
import type { LookupFunction } from "node:net";

/** As operator/mlflow/host-policy.ts has it: no image holds the other's code, and their contract is not of addresses. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16, "ipv4");
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6"); // the same service of AWS, over IPv6

/** Whether a host is an address at which clouds hand out a machine's credentials. Names are none: look them up first. */
export function isLinkLocal(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  const version = isIP(host);
  return version !== 0 && LINK_LOCAL.check(host, version === 4 ? "ipv4" : "ipv6");
}

/** For connections: refuses a name that leads to such an address. */
export const lookupAllowed: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, found, family) => {
    const addresses = typeof found === "string" ? [found] : (found ?? []).map(({ address }) => address);
    const denied = addresses.find(isLinkLocal);
    if (denied === undefined) callback(error, found, family);
    else callback(new Error(`${hostname} is at ${denied}, a link-local address, to which nothing is sent`), "");
  });
};
