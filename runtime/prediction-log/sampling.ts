/**
 * Whether a request is among the `share` (0 to 1) that is logged. By the request's id and by nothing else: every process
 * decides alike, and a retried request with the same id is logged again or again not.
 */
export function isSampled(requestId: string, share: number): boolean {
  return share >= 1 || hash(requestId) < share * 2 ** 32;
}

/** 32-bit FNV-1a, with the last mixing steps of MurmurHash3, since ids that differ in their end only must not hash alike. */
function hash(text: string): number {
  let state = 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x0100_0193);
  state = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2_ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
