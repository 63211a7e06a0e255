/** What a user may have set for a Spark of their own: ours would read its settings, or run its classes. */
export const variablesOfOtherSparks = /^(SPARK|PYSPARK|HADOOP|YARN)_/;

/** An environment without the variables of these names. */
export function withoutVariables(env: NodeJS.ProcessEnv, names: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.test(name)));
}
