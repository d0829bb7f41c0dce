/** Works on all items, so many at a time; the results in the order of the items. Fails with the first failure, once all lanes stand still. */
export async function inLanes<T, R>(lanes: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  let failure: unknown;
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    for (const [index, item] of waiting) {
      if (hasFailed) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failure ??= error;
        hasFailed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (hasFailed) throw failure;
  return results;
}
