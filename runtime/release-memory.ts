/**
 * Frees the memory of bytes that nobody needs any more, if they have it for themselves; whoever has kept a view of them
 * finds it empty. Left to the garbage collector, some megabytes of it make that collect everything, again and again.
 */
export function releaseMemory({ buffer, byteLength }: ArrayBufferView): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached && buffer.byteLength === byteLength) buffer.transfer(0);
}
