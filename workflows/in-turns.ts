/**
 * Runs `work` on every item, at most `parallel` at once, in order of the items; answers in their order. After a failure no new
 * item starts, and those under way are waited for before it is thrown: nothing of this goes on beside what the caller does next.
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
