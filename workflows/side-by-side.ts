import { CancellationScope } from '@temporalio/workflow';

/**
 * Both at once. When one fails, the other is cancelled and waited for, so that nothing of it goes on after this has failed with
 * the first failure.
 */
export function sideBySide<One, Other>(
  one: () => Promise<One>,
  other: () => Promise<Other>,
): Promise<readonly [One, Other]> {
  const scope = new CancellationScope();
  return scope.run(async () => {
    const running = [one(), other()] as const;
    try {
      return await Promise.all(running);
    } catch (failure) {
      scope.cancel();
      await Promise.allSettled(running);
      throw failure;
    }
  });
}
