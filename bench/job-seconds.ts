import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One Spark job as the worker told of it: wall-clock seconds by step. */
export interface JobSeconds {
  readonly job: string;
  readonly seconds: Readonly<Record<string, number>>;
}

/** The jobs that the worker of a state folder has done so far, in order, from its log. */
export async function jobsDone(stateDir: string): Promise<readonly JobSeconds[]> {
  const lines = (await readFile(join(stateDir, 'logs', 'worker.log'), 'utf8')).split('\n');
  return lines
    .filter((line) => line.includes('"spark job done"'))
    .map((line) => {
      const { job, seconds } = JSON.parse(line) as JobSeconds;
      return { job, seconds };
    });
}
