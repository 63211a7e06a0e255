/**
 * Environment variables that a user may have set for their own Spark. Segue's Spark would read their settings, run
 * their classes or import their PySpark. The token of Spark Connect is not among them, because a client needs it.
 */
export const variablesOfOtherSparks =
  /^((SPARK|PYSPARK|HADOOP|YARN)_(?!CONNECT_AUTHENTICATE_TOKEN$).*|PYTHONPATH|PYTHONHOME)$/;

/** Turns PySpark into a client of a Spark Connect server, regardless of the master. */
export const variablesOfSparkConnect = /^SPARK_(REMOTE|LOCAL_REMOTE|API_MODE|CONNECT_MODE|CONNECT_MODE_ENABLED)$/;

/** An environment without the variables of these names. */
export function withoutVariables(env: NodeJS.ProcessEnv, names: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.test(name)));
}
