/**
 * Runs `work` on every item, at most `parallel` items at the same time, and returns the results in the order of the
 * items. After a failure no new item starts. The function waits for the running items before it throws, so that none
 * of them runs beside the next step of the caller.
 */
export async function inTurns<Item, Answer>(
  items: readonly Item[],
  parallel: number,
  work: (item: Item) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const answers = new Map<number, Answer>();
  const failures: unknown[] = [];
  let next = 0;
  const takeTurns = async (): Promise<void> => {
    try {
      while (next < items.length && failures.length === 0) {
        const index = next++;
        answers.set(index, await work(items[index]!));
      }
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, takeTurns));
  if (failures.length > 0) throw failures[0];
  return items.map((_, index) => answers.get(index)!);
}
