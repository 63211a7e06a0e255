import { variablesOfOtherSparks, withoutVariables } from '../platform/variables.ts';

/**
 * The environment of jobs/evaluate_files.py: a Spark of its own on this machine. The caller may choose the folder of
 * its files.
 */
export function evaluationEnv(python: string): NodeJS.ProcessEnv {
  return {
    ...withoutVariables(process.env, variablesOfOtherSparks),
    SPARK_LOCAL_DIRS: process.env['SPARK_LOCAL_DIRS'],
    SPARK_LOCAL_IP: '127.0.0.1',
    PYSPARK_PYTHON: python,
  };
}
