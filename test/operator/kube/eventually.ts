/** Waits until `condition` holds; fails with its description after five seconds. */
export async function eventually(description: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so after 5 s: ${description}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
