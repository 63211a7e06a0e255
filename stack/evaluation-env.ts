import { variablesOfOtherSparks, withoutVariables } from '../platform/variables.ts';

/** What jobs/evaluate_files.py is run with: a Spark of its own, on this machine; where its files lie may be said. */
export function evaluationEnv(python: string): NodeJS.ProcessEnv {
  return {
    ...withoutVariables(process.env, variablesOfOtherSparks),
    SPARK_LOCAL_DIRS: process.env['SPARK_LOCAL_DIRS'],
    SPARK_LOCAL_IP: '127.0.0.1',
    PYSPARK_PYTHON: python,
  };
}
