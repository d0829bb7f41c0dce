/** What is wrong with an infer request, in words for its sender. */
export class InferError extends Error {
  override readonly name = "InferError";
}
