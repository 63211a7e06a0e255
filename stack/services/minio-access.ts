import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { lake } from '../../contracts/lake.ts';
import { StackError } from '../errors.ts';
import { readSecretFile, type SecretFiles } from '../secrets.ts';

/** Where the store is and how to administer it. */
export interface StoreAdministration {
  readonly mc: string;
  readonly endpoint: string;
  /** A folder for mc's own settings and for the policy. */
  readonly folder: string;
  readonly secrets: SecretFiles;
}

const alias = 'segue';
const policyName = 'segue-pipeline';
const buckets = Object.values(lake.buckets);

/**
 * Creates the buckets and the pipeline's user with exactly the rights that the pipeline needs. Safe to repeat: existing
 * buckets stay, and the user gets the right password and policy.
 */
export async function grantPipelineAccess(store: StoreAdministration): Promise<void> {
  await mkdir(store.folder, { recursive: true, mode: 0o700 });
  const policyFile = join(store.folder, 'policy.json');
  await writeFile(policyFile, JSON.stringify(pipelinePolicy(), null, 2));
  const user = readSecretFile(store.secrets.minioUser);
  const password = readSecretFile(store.secrets.minioPass);

  for (const bucket of buckets) await mc(store, ['mb', '--ignore-existing', `${alias}/${bucket}`]);
  await mc(store, ['admin', 'policy', 'create', alias, policyName, policyFile]);
  // mc reads both from stdin: every user of the machine can see a password among the arguments.
  await mc(store, ['admin', 'user', 'add', alias], { input: `${user}\n${password}\n` });
  await mc(store, ['admin', 'policy', 'attach', alias, policyName, '--user', user], { toleratesUnchanged: true });
}

/** List, read, write and delete, multipart uploads included, in the lake's buckets and nowhere else. */
export function pipelinePolicy(): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
        Resource: buckets.map((bucket) => `arn:aws:s3:::${bucket}`),
      },
      {
        Effect: 'Allow',
        Action: [
          's3:GetObject',
          's3:PutObject',
          's3:DeleteObject',
          's3:AbortMultipartUpload',
          's3:ListMultipartUploadParts',
        ],
        Resource: buckets.map((bucket) => `arn:aws:s3:::${bucket}/*`),
      },
    ],
  };
}

async function mc(
  { mc: file, endpoint, folder, secrets }: StoreAdministration,
  args: readonly string[],
  { input, toleratesUnchanged = false }: { readonly input?: string; readonly toleratesUnchanged?: boolean } = {},
): Promise<void> {
  const url = new URL(endpoint);
  url.username = readSecretFile(secrets.minioRootUser);
  url.password = readSecretFile(secrets.minioRootPass);
  const { exitCode, all } = await execa(file, ['--quiet', '--no-color', ...args], {
    env: { MC_CONFIG_DIR: folder, [`MC_HOST_${alias}`]: url.href.replace(/\/$/, '') },
    all: true,
    reject: false,
    timeout: 30_000,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  });
  if (exitCode === 0) return;
  if (toleratesUnchanged && /already in effect/i.test(all)) return;
  throw new StackError(`MinIO could not be set up: mc ${args.slice(0, 3).join(' ')} said: ${all.trim()}`);
}
