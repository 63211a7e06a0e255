import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from './errors.ts';

/** The files of generated credentials. */
export interface SecretFiles {
  /** The pipeline's user in the object store. */
  readonly minioUser: string;
  readonly minioPass: string;
  /** The object store's administrator: used by the stack alone. */
  readonly minioRootUser: string;
  readonly minioRootPass: string;
  /** May do everything the API offers. */
  readonly apiToken: string;
}

const fileNames = {
  minioUser: 'minio_user.txt',
  minioPass: 'minio_pass.txt',
  minioRootUser: 'minio_root_user.txt',
  minioRootPass: 'minio_root_pass.txt',
  apiToken: 'api_token.txt',
} as const satisfies Record<keyof SecretFiles, string>;

/**
 * Makes the credentials that are missing: random, readable by their owner only. Those that are there stay as they are, and
 * of two starts at once both see the same. Answers the files' paths.
 */
export function ensureSecrets(secretsDir: string): SecretFiles {
  try {
    mkdirSync(secretsDir, { recursive: true, mode: 0o700 });
    chmodSync(secretsDir, 0o700);
    ensureSecret(join(secretsDir, fileNames.minioUser), () => `segue-${randomBytes(6).toString('hex')}`);
    ensureSecret(join(secretsDir, fileNames.minioRootUser), () => `root-${randomBytes(6).toString('hex')}`);
    for (const name of [fileNames.minioPass, fileNames.minioRootPass, fileNames.apiToken]) {
      ensureSecret(join(secretsDir, name), () => randomBytes(30).toString('base64url'));
    }
  } catch (cause) {
    throw new StackError(
      `The credentials in ${secretsDir} cannot be written: ${(cause as Error).message}. Make the folder writable, or set SEGUE_SECRETS_DIR.`,
      { cause },
    );
  }
  return secretFiles(secretsDir);
}

/** Where the credentials of a secrets folder lie. */
export function secretFiles(secretsDir: string): SecretFiles {
  const entries = Object.entries(fileNames).map(([name, file]) => [name, join(secretsDir, file)]);
  // Built from fileNames' keys, which are SecretFiles' keys.
  return Object.fromEntries(entries);
}

/** Reads a secret. */
export function readSecretFile(path: string): string {
  return readFileSync(path, 'utf8').trim();
}

/** The file is written under a temporary name and linked: it appears complete, and never replaces an existing file. */
function ensureSecret(path: string, generate: () => string): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(aside, `${generate()}\n`, { mode: 0o600 });
  try {
    linkSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    chmodSync(path, 0o600);
  } finally {
    rmSync(aside, { force: true });
  }
}
