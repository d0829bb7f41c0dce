/** The memory of a tensor's numbers, to be handed to another thread; nothing for strings, which are copied. */
export function ownBuffer({ data }: { readonly data: unknown }): ArrayBuffer[] {
  return ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer ? [data.buffer] : [];
}
