import { CancellationScope } from '@temporalio/workflow';

/**
 * Runs both functions at the same time. If a function fails, the second function is cancelled. The call waits for its
 * end and then throws the first failure, so that nothing runs on after the call.
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
