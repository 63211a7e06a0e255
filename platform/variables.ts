/**
 * What a user may have set for a Spark of their own: ours would read its settings, run its classes or import its PySpark. Not the
 * token of Spark Connect, without which a client of theirs gets nowhere.
 */
export const variablesOfOtherSparks =
  /^((SPARK|PYSPARK|HADOOP|YARN)_(?!CONNECT_AUTHENTICATE_TOKEN$).*|PYTHONPATH|PYTHONHOME)$/;

/** By which PySpark becomes a client of some server, whatever master it is told. */
export const variablesOfSparkConnect = /^SPARK_(REMOTE|LOCAL_REMOTE|API_MODE|CONNECT_MODE|CONNECT_MODE_ENABLED)$/;

/** An environment without the variables of these names. */
export function withoutVariables(env: NodeJS.ProcessEnv, names: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.test(name)));
}
