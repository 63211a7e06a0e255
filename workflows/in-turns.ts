/** Runs `work` on every item, at most `parallel` at once, in order of the items; answers in their order. */
export async function inTurns<Item, Answer>(
  items: readonly Item[],
  parallel: number,
  work: (item: Item) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const answers = new Map<number, Answer>();
  let next = 0;
  const takeTurns = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) answers.set(index, await work(items[index]!));
  };
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, takeTurns));
  return items.map((_, index) => answers.get(index)!);
}
