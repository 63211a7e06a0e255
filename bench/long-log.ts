import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { ensureInstalled } from '../stack/install/index.ts';
import { readSecretFile, secretFiles } from '../stack/secrets.ts';
import { startStack } from '../stack/stack.ts';
import { temporaryFolder } from '../test/stack/small-services.ts';
import { writeResult } from './results.ts';

const commits = 50_000;

const report = z.object({
  commits: z.tuple([z.number(), z.number()]),
  objectsInLog: z.record(z.string(), z.number()),
  /** By step: the median seconds on the table of each number of commits. */
  seconds: z.record(z.string(), z.record(z.string(), z.number())),
});

/** What an append and a read cost on a table of 50,000 commits, beside one of 100: by Spark, and what is read of the log without it. */
export async function benchLongLog(): Promise<void> {
  const tools = await ensureInstalled();
  const folder = temporaryFolder();
  const stack = await startStack({ stateDir: folder.path, services: ['minio'] });
  try {
    const { minioUser, minioPass } = secretFiles(stack.settings.secretsDir);
    const script = fileURLToPath(new URL('long_log.py', import.meta.url));
    const { stdout } = await execa(tools.python, [script, String(commits)], {
      env: {
        AWS_ENDPOINT_URL: stack.env['SEGUE_S3_ENDPOINT']!,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: readSecretFile(minioUser),
        AWS_SECRET_ACCESS_KEY: readSecretFile(minioPass),
        AWS_EC2_METADATA_DISABLED: 'true',
        PYSPARK_PYTHON: tools.python,
        SEGUE_SPARK_JARS: tools.sparkJarsDir,
        SPARK_LOCAL_IP: '127.0.0.1',
      },
      stderr: 'inherit',
    });
    const measured = report.parse(JSON.parse(stdout.trim().split('\n').at(-1)!));
    const [few, many] = measured.commits.map(String) as [string, string];
    const ratios = Object.fromEntries(
      Object.entries(measured.seconds).map(([step, of]) => [step, Number((of[many]! / of[few]!).toFixed(2))]),
    );
    const path = await writeResult('long-log', { ...measured, ratios });
    console.log(`${commits} commits cost, of what 100 cost: ${JSON.stringify(ratios)}; written to ${path}`);
  } finally {
    await stack.stop();
    folder.remove();
  }
}
