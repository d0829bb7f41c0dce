import { createServer } from "node:net";
import { listeningAddresses } from "./listening-addresses.ts";

const FIRST_HOST = 2; // .1 is the kubelet's own
const LAST_HOST = 254;

/**
 * Hands out the addresses of one node's pods, 127.77.N.2 to .254. An address that was freed comes back last, so that
 * a client which still holds it does not meet another pod. An address on which somebody listens is left out: a kubelet
 * that was killed leaves its containers behind, but no longer claims the network that they are in.
 */
export class PodAddresses {
  private readonly network: string;
  private readonly listening: () => ReadonlySet<string>;
  private readonly taken = new Set<number>();
  private next = FIRST_HOST;

  /** @param network the first three numbers, e.g. `127.77.0` */
  constructor(network: string, listening = listeningAddresses) {
    this.network = network;
    this.listening = listening;
  }

  /** @param former the pod's address in an earlier run: routers' files may still name it, so no other pod should get it */
  take(former?: string): string {
    const listening = this.listening();
    if (former?.startsWith(`${this.network}.`) && !this.taken.has(hostOf(former)) && !listening.has(former)) {
      this.taken.add(hostOf(former));
      return former;
    }
    for (let tries = FIRST_HOST; tries <= LAST_HOST; tries++) {
      const host = this.next;
      this.next = host === LAST_HOST ? FIRST_HOST : host + 1;
      const address = `${this.network}.${host}`;
      if (this.taken.has(host) || listening.has(address)) continue;
      this.taken.add(host);
      return address;
    }
    throw new Error(`all ${LAST_HOST - FIRST_HOST + 1} pod addresses of ${this.network}.0/24 are in use`);
  }

  free(address: string): void {
    this.taken.delete(hostOf(address));
  }
}

function hostOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(".") + 1));
}

/** @throws with what to do when this machine cannot give pods addresses of their own in `network`. */
export async function checkPodAddresses(network: string): Promise<void> {
  const address = `${network}.${FIRST_HOST}`;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(0, address, resolve);
    });
  } catch (error) {
    const advice =
      process.platform === "darwin"
        ? `macOS has only 127.0.0.1 until told otherwise: for n in $(seq 1 60); do sudo ifconfig lo0 alias ${network}.$n; done`
        : `the loopback interface must have 127.0.0.0/8`;
    throw new Error(`each local pod needs an address of its own, but ${address} cannot be bound; ${advice}`, {
      cause: error,
    });
  } finally {
    server.close();
  }
}
