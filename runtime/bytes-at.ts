/** Whether `bytes` has all of `part` at `position`. */
export const isAt = (bytes: Buffer, position: number, part: Buffer): boolean =>
  bytes.length >= position + part.length && bytes.compare(part, 0, part.length, position, position + part.length) === 0;
