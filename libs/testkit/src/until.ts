/** Polls a condition of the world; what fails meanwhile counts as not yet. @throws Error after `withinMs`, with what `more` tells */
export const until = async (
  what: string,
  withinMs: number,
  test: () => Promise<boolean>,
  { everyMs = 200, more = () => '' }: { everyMs?: number; more?: () => string } = {},
): Promise<void> => {
  const giveUpAt = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < giveUpAt) {
    try {
      if (await test()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  throw new Error(`not within ${withinMs} ms: ${what}${last ? ` (${String(last)})` : ''}${more()}`);
};
