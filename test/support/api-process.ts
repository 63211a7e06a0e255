import { execa } from 'execa';
import { until } from './wait.ts';

/** The API as a process of its own, as it runs in earnest. */
export interface ApiProcess {
  readonly url: string;
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  /** SIGTERM: it drains and ends. Answers its exit code. */
  stop(): Promise<number | undefined>;
  /** SIGKILL, as a crash would be. */
  kill(): Promise<void>;
}

/** Starts the API with these settings; resolves when it answers. */
export async function startApiProcess(env: Readonly<Record<string, string>>): Promise<ApiProcess> {
  const url = `http://127.0.0.1:${env['SEGUE_API_PORT']}`;
  let log = '';
  const child = execa(process.execPath, ['--import', 'tsx', 'api/server.ts'], {
    env: { ...env, SEGUE_LOG_LEVEL: env['SEGUE_LOG_LEVEL'] ?? 'warn' },
    reject: false,
    all: true,
    buffer: false,
    stdin: 'ignore',
  });
  child.all.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-200_000);
  });
  let hasEnded = false;
  const ended = child.then((result) => {
    hasEnded = true;
    return result.exitCode;
  });
  await until('the API answers', async () => {
    if (hasEnded) throw new Error(`the API ended at its start: ${log}`);
    return (await fetch(`${url}/livez`).catch(() => undefined))?.ok;
  });
  return {
    url,
    pid: child.pid!,
    log: () => log,
    stop: async () => {
      child.kill('SIGTERM');
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
