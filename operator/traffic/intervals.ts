/**
 * Who gets which version: an ordered list of intervals over 10,000 buckets. A user's bucket never changes (bucket.ts),
 * so a user changes version only when the interval under their bucket changes hands.
 */

export const BUCKETS = 10_000;

/** More intervals than this make the routers' config long for no gain; see {@link rebalance}. */
export const MAX_INTERVALS = 200;

/** Kept when a split with too many intervals is simplified; what the free gaps between them add stays under the limit. */
const KEPT_WHEN_COALESCING = 80;

export interface Interval {
  readonly revision: string;
  /** How many of the 10,000 buckets; at least 1. */
  readonly buckets: number;
}

/** Ordered, without equal neighbours; the buckets sum to exactly 10,000. */
export type Split = readonly Interval[];

/** Percent by revision, in steps of 0.01 and summing to 100; order matters for revisions that are new. */
export type Shares = ReadonlyMap<string, number>;

export interface Rebalanced {
  readonly split: Split;
  /** True when the interval limit was hit, and more users moved than the change of shares asked for. */
  readonly coalesced: boolean;
}

/** An interval, or one that nobody holds at the moment. */
interface Piece {
  readonly revision: string | undefined;
  readonly buckets: number;
}

/** The split of a first deployment: one interval for each revision with a share, in the given order. */
export function splitOf(shares: Shares): Split {
  return [...bucketsOf(shares)]
    .filter(([, buckets]) => buckets > 0)
    .map(([revision, buckets]) => ({ revision, buckets }));
}

/**
 * Changes the shares and moves exactly the users that must move: every interval stays where it is, and growing
 * revisions take buckets only from shrinking ones. What a revision gives up goes to its successor first (the next
 * revision of the same version), so that users of v1 stay with v1.
 *
 * Beyond {@link MAX_INTERVALS} the smallest intervals are dealt out anew, which moves some users more.
 */
export function rebalance(
  current: Split,
  target: Shares,
  successors: ReadonlyMap<string, string> = new Map(),
): Rebalanced {
  const wanted = bucketsOf(target);
  const exact = settle(handOver(current, wanted, successors), wanted);
  if (exact.length <= MAX_INTERVALS) return { split: exact, coalesced: false };
  return { split: settle(keepLargest(exact, KEPT_WHEN_COALESCING), wanted), coalesced: true };
}

/** Percent by revision, in the order of first appearance. */
export function sharesOf(split: Split): Map<string, number> {
  return new Map([...held(split)].map(([revision, buckets]) => [revision, (buckets * 100) / BUCKETS]));
}

/** How many of the 10,000 buckets belong to different revisions in the two splits. */
export function movedBuckets(before: Split, after: Split): number {
  const borders = [...new Set([...ends(before), ...ends(after)])].sort((a, b) => a - b);
  let start = 0;
  let moved = 0;
  for (const end of borders) {
    if (revisionAt(before, start) !== revisionAt(after, start)) moved += end - start;
    start = end;
  }
  return moved;
}

/** @throws RangeError for a bucket outside 0..9,999 */
export function revisionAt(split: Split, bucket: number): string {
  if (!Number.isInteger(bucket) || bucket < 0) throw new RangeError(`bucket ${bucket} is not in 0..${BUCKETS - 1}`);
  let end = 0;
  for (const { revision, buckets } of split) {
    end += buckets;
    if (bucket < end) return revision;
  }
  throw new RangeError(`bucket ${bucket} is past the split's end, ${end}`);
}

function bucketsOf(shares: Shares): Map<string, number> {
  const buckets = new Map([...shares].map(([revision, percent]) => [revision, Math.round((percent * BUCKETS) / 100)]));
  const total = [...buckets.values()].reduce((sum, count) => sum + count, 0);
  if (total !== BUCKETS || [...buckets.values()].some((count) => count < 0)) {
    const listed = [...shares].map(([revision, percent]) => `${revision}: ${percent}`).join(", ");
    throw new RangeError(`a split of {${listed}} is not possible: shares must be 0 to 100 and sum to 100`);
  }
  return buckets;
}

/** Each shrinking revision's surplus goes to its successor, as far as that one grows. */
function handOver(
  split: Split,
  wanted: ReadonlyMap<string, number>,
  successors: ReadonlyMap<string, string>,
): readonly Piece[] {
  let pieces: readonly Piece[] = split;
  for (const [revision, successor] of successors) {
    const has = held(pieces);
    const surplus = (has.get(revision) ?? 0) - (wanted.get(revision) ?? 0);
    const lack = (wanted.get(successor) ?? 0) - (has.get(successor) ?? 0);
    pieces = take(pieces, revision, Math.min(surplus, lack), successor);
  }
  return pieces;
}

/** Frees what any revision holds too much of, and gives it to those that lack. */
function settle(pieces: readonly Piece[], wanted: ReadonlyMap<string, number>): Split {
  let settled = pieces;
  for (const [revision, buckets] of held(pieces))
    settled = take(settled, revision, buckets - (wanted.get(revision) ?? 0));
  const has = held(settled);
  const lacking = new Map([...wanted].map(([revision, buckets]) => [revision, buckets - (has.get(revision) ?? 0)]));
  return giveAway(merged(settled), lacking);
}

/**
 * Takes `buckets` from a revision, its smallest intervals first, so that few are left. A successor gets the start of an
 * interval and nobody the end: what is freed then lies beside the next revision, which can take it without a new interval.
 */
function take(pieces: readonly Piece[], from: string, buckets: number, to?: string): readonly Piece[] {
  let left = Math.max(buckets, 0);
  const smallestFirst = pieces.filter((piece) => piece.revision === from).toSorted((a, b) => a.buckets - b.buckets);
  const taken = new Map<Piece, number>();
  for (const piece of smallestFirst) {
    const part = Math.min(left, piece.buckets);
    taken.set(piece, part);
    left -= part;
  }
  return pieces.flatMap((piece) => {
    const part = taken.get(piece) ?? 0;
    const given = { revision: to, buckets: part };
    const kept = { revision: piece.revision, buckets: piece.buckets - part };
    return nonEmpty<Piece>(to === undefined ? [kept, given] : [given, kept]);
  });
}

/** Fills each free piece: with the neighbours first, since that adds no interval, then in the order of `lacking`. */
function giveAway(pieces: readonly Piece[], lacking: Map<string, number>): Split {
  const filled: Interval[] = [];
  for (const [index, piece] of pieces.entries()) {
    if (piece.revision !== undefined) {
      filled.push({ revision: piece.revision, buckets: piece.buckets });
      continue;
    }
    let free = piece.buckets;
    const grant = (revision: string | undefined): Interval[] => {
      if (revision === undefined) return [];
      const buckets = Math.min(free, lacking.get(revision) ?? 0);
      free -= buckets;
      lacking.set(revision, (lacking.get(revision) ?? 0) - buckets);
      return [{ revision, buckets }];
    };
    const start = grant(pieces[index - 1]?.revision);
    const end = grant(pieces[index + 1]?.revision);
    const middle = [...lacking.keys()].flatMap(grant);
    filled.push(...start, ...middle, ...end);
  }
  return merged(filled);
}

/** Frees all but the largest intervals. */
function keepLargest(split: Split, count: number): readonly Piece[] {
  const kept = new Set(split.toSorted((a, b) => b.buckets - a.buckets).slice(0, count));
  return split.map((interval) => (kept.has(interval) ? interval : { revision: undefined, buckets: interval.buckets }));
}

function merged<P extends Piece>(pieces: readonly P[]): P[] {
  const result: P[] = [];
  for (const piece of nonEmpty(pieces)) {
    const last = result.at(-1);
    if (last !== undefined && last.revision === piece.revision) {
      result[result.length - 1] = { ...piece, buckets: last.buckets + piece.buckets };
    } else {
      result.push(piece);
    }
  }
  return result;
}

function nonEmpty<P extends Piece>(pieces: readonly P[]): P[] {
  return pieces.filter((piece) => piece.buckets > 0);
}

function held(pieces: readonly Piece[]): Map<string, number> {
  const buckets = new Map<string, number>();
  for (const piece of pieces) {
    if (piece.revision !== undefined) buckets.set(piece.revision, (buckets.get(piece.revision) ?? 0) + piece.buckets);
  }
  return buckets;
}

/** The first bucket behind each interval. */
function ends(split: Split): number[] {
  let end = 0;
  return split.map(({ buckets }) => (end += buckets));
}
