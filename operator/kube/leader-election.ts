import { type Clock, sleep } from "./clock.ts";
import { isAlreadyExists, isConflict, isNotFound } from "./errors.ts";
import type { Log } from "./log.ts";
import { collectionPath, formatKey, leases, objectPath, type KubeObject, type ObjectKey } from "./objects.ts";
import type { KubeClient } from "./transport.ts";

export interface LeaderElectionMetrics {
  leading(isLeader: boolean): void;
}

interface LeaderElectorOptions {
  client: KubeClient;
  lease: ObjectKey;
  /** Must differ between processes, also between a process and its own successor (host name and a random part). */
  identity: string;
  /** Called once when leadership ends without having been released. The process must exit: others may lead already. */
  onLost: (reason: string) => void;
  clock: Clock;
  log: Log;
  metrics?: LeaderElectionMetrics;
  random?: () => number;
  /** How long others wait after they last saw the lease change before they take it. */
  leaseDurationMs?: number;
  /** How long after a renewal we lead. The difference to leaseDurationMs is left for writes that are under way. */
  renewDeadlineMs?: number;
  retryPeriodMs?: number;
}

/** coordination.k8s.io/v1 */
interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string | null;
    leaseDurationSeconds?: number | null;
    acquireTime?: string | null;
    renewTime?: string | null;
    leaseTransitions?: number | null;
  };
}

/** A write was refused here, before it was sent, because this process may not be the leader any more. */
export class NotLeaderError extends Error {
  override readonly name = "NotLeaderError";
}

// Spreads those who wait for the lease, so that they do not all try to take it in the same instant.
const acquireJitter = 1.2;

/**
 * Holds a Lease, or waits for it. Whether another's lease ran out is judged by how long we ourselves saw it unchanged,
 * never by the timestamps in it: clocks of other machines are wrong.
 */
export class LeaderElector {
  readonly #options: Required<Omit<LeaderElectorOptions, "metrics">> & Pick<LeaderElectorOptions, "metrics">;
  readonly #stopping = new AbortController();
  readonly #acquired = Promise.withResolvers<void>();
  /** The lease as last seen, and since when it has looked so. */
  #observed: { lease: Lease; since: number } | undefined;
  #deadline = Number.NEGATIVE_INFINITY;
  #leading = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: LeaderElectorOptions) {
    this.#options = {
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
      random: Math.random,
      ...options,
    };
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = this.#options;
    if (leaseDurationMs <= renewDeadlineMs || renewDeadlineMs <= retryPeriodMs * acquireJitter) {
      throw new RangeError(
        `leader election: leaseDurationMs ${leaseDurationMs} must be above renewDeadlineMs ${renewDeadlineMs}, and that above ${acquireJitter} x retryPeriodMs ${retryPeriodMs}`,
      );
    }
    options.metrics?.leading(false);
  }

  start(): void {
    this.#loop = this.#campaign(this.#stopping.signal);
  }

  /** Resolves when this process first leads. */
  async acquired(): Promise<void> {
    await this.#acquired.promise;
  }

  isLeader(): boolean {
    return this.#leading && this.#options.clock.monotonic() < this.#deadline;
  }

  /** Monotonic ms: no write may start at or after it. */
  deadline(): number {
    return this.#deadline;
  }

  /** Throws NotLeaderError unless a write may start now: for KubeTransport.fenced. */
  readonly fence = (): void => {
    if (!this.isLeader()) {
      const { identity, lease } = this.#options;
      throw new NotLeaderError(
        `${identity} does not hold the lease ${formatKey(lease)} (any more), so it must not write`,
      );
    }
  };

  /** Stops; whoever waits for the lease gets it at once. Call it when the last write is done: none may start after. */
  async release(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    if (!this.#leading) return;
    this.#step(false);
    const { client, lease: key, identity, log, retryPeriodMs } = this.#options;
    try {
      // Read again: a renewal that was cut off may have been carried out.
      const lease = await this.#read();
      if (lease?.spec?.holderIdentity !== identity) return;
      await client.request("PATCH", objectPath(leases, key), {
        contentType: "application/merge-patch+json",
        body: {
          metadata: { resourceVersion: lease.metadata.resourceVersion },
          spec: { holderIdentity: "", leaseDurationSeconds: 1, renewTime: this.#microTime() },
        },
        timeoutMs: retryPeriodMs,
        action: `releasing Lease ${formatKey(key)}`,
      });
      log.info({ lease: formatKey(key), identity }, "leadership released");
    } catch (error) {
      log.warn({ err: error }, "leadership not released: others must wait until the lease runs out");
    }
  }

  async #campaign(signal: AbortSignal): Promise<void> {
    const { clock, retryPeriodMs, random, log } = this.#options;
    while (!signal.aborted) {
      const started = clock.monotonic();
      try {
        await this.#acquireOrRenew(signal);
      } catch (error) {
        if (signal.aborted) return;
        const level = isConflict(error) || isAlreadyExists(error) ? "debug" : "warn";
        log[level]({ err: error, leading: this.#leading }, "lease not acquired or renewed, will be retried");
      }
      if (!this.#leading) {
        await sleep(clock, retryPeriodMs * (1 + random() * acquireJitter), signal);
      } else if (this.isLeader() && !this.#heldByOther()) {
        // From the start of this attempt: one that timed out has used up time that the next one needs.
        const next = Math.min(started + retryPeriodMs, this.#deadline);
        await sleep(clock, Math.max(0, next - clock.monotonic()), signal);
      } else {
        this.#lose();
        return;
      }
    }
  }

  #lose(): void {
    const { renewDeadlineMs, lease, identity, onLost, log } = this.#options;
    const reason = this.#heldByOther()
      ? `it is held by ${this.#observed?.lease.spec?.holderIdentity}`
      : `it could not be renewed for ${renewDeadlineMs / 1000} s`;
    this.#step(false);
    log.error({ lease: formatKey(lease), identity, reason }, "leadership lost");
    onLost(`lease ${formatKey(lease)} lost: ${reason}`);
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<void> {
    if (this.#leading && this.#observed) {
      try {
        await this.#write(this.#observed.lease, signal);
        return;
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error;
      }
    }
    const lease = await this.#read(signal);
    this.#observe(lease);
    if (this.#heldByOther() && (this.#leading || !this.#ranOut())) return;
    await this.#write(lease, signal);
  }

  #observe(lease: Lease | undefined): void {
    if (lease === undefined) {
      this.#observed = undefined;
      return;
    }
    if (this.#observed?.lease.metadata.resourceVersion === lease.metadata.resourceVersion) return;
    this.#observed = { lease, since: this.#options.clock.monotonic() };
  }

  #heldByOther(): boolean {
    const holder = this.#observed?.lease.spec?.holderIdentity;
    return Boolean(holder) && holder !== this.#options.identity;
  }

  /** Nobody renewed the observed lease for as long as it promises to last. */
  #ranOut(): boolean {
    if (!this.#observed) return true;
    const { lease, since } = this.#observed;
    const durationMs = (lease.spec?.leaseDurationSeconds ?? this.#options.leaseDurationMs / 1000) * 1000;
    return this.#options.clock.monotonic() >= since + durationMs;
  }

  async #read(signal?: AbortSignal): Promise<Lease | undefined> {
    const { client, lease: key } = this.#options;
    const action = `reading Lease ${formatKey(key)}`;
    try {
      return await client.request<Lease>("GET", objectPath(leases, key), {
        timeoutMs: this.#attemptMs(),
        action,
        ...(signal && { signal }),
      });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Makes the lease ours, or ours for longer: only if it is still as it was `before`. */
  async #write(before: Lease | undefined, signal: AbortSignal): Promise<void> {
    const { client, lease: key, clock } = this.#options;
    const options = { body: this.#record(before), timeoutMs: this.#attemptMs(), signal };
    const started = clock.monotonic();
    const lease =
      before === undefined
        ? await client.request<Lease>("POST", collectionPath(leases, key.namespace), {
            ...options,
            action: `creating Lease ${formatKey(key)}`,
          })
        : await client.request<Lease>("PATCH", objectPath(leases, key), {
            ...options,
            contentType: "application/merge-patch+json",
            action: `${this.#leading ? "renewing" : "taking"} Lease ${formatKey(key)}`,
          });
    this.#observe(lease);
    // From the start of the request: whoever watches may have seen the renewal that early.
    this.#deadline = started + this.#options.renewDeadlineMs;
    if (!this.#leading && clock.monotonic() < this.#deadline) this.#lead();
  }

  #record(before: Lease | undefined): object {
    const { lease: key, identity, leaseDurationMs } = this.#options;
    const now = this.#microTime();
    const renewed = before?.spec?.holderIdentity === identity;
    const transitions = before?.spec?.leaseTransitions ?? 0;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...key, ...(before && { resourceVersion: before.metadata.resourceVersion }) },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: leaseDurationMs / 1000,
        renewTime: now,
        acquireTime: renewed ? before.spec?.acquireTime : now,
        leaseTransitions: before === undefined || renewed ? transitions : transitions + 1,
      },
    };
  }

  /** A request that hangs must leave time for another before leadership ends. */
  #attemptMs(): number {
    const { renewDeadlineMs, clock } = this.#options;
    const half = renewDeadlineMs / 2;
    return this.#leading ? Math.max(1, Math.min(half, this.#deadline - clock.monotonic())) : half;
  }

  #lead(): void {
    const { lease, identity, log } = this.#options;
    this.#step(true);
    log.info({ lease: formatKey(lease), identity }, "leadership acquired");
    this.#acquired.resolve();
  }

  #step(leading: boolean): void {
    this.#leading = leading;
    if (!leading) this.#deadline = Number.NEGATIVE_INFINITY;
    this.#options.metrics?.leading(leading);
  }

  /** RFC 3339 with microseconds, as lease times are written. */
  #microTime(): string {
    return new Date(this.#options.clock.now()).toISOString().replace("Z", "000Z");
  }
}
