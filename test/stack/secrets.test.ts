import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureSecrets, readSecretFile } from '../../stack/secrets.ts';
import { temporaryFolder } from './small-services.ts';

describe('the credentials', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let secretsDir: string;

  beforeEach(() => {
    folder = temporaryFolder();
    secretsDir = join(folder.path, 'secrets');
  });

  afterEach(() => folder.remove());

  it('can be read by their owner only', () => {
    const files = ensureSecrets(secretsDir);

    assert.equal(modeOf(secretsDir), '700');
    assert.deepEqual(new Set(Object.values(files).map(modeOf)), new Set(['600']));
  });

  it('are long, random and all different', () => {
    const first = Object.values(ensureSecrets(secretsDir)).map(readSecretFile);
    const second = Object.values(ensureSecrets(join(folder.path, 'others'))).map(readSecretFile);

    assert.equal(new Set([...first, ...second]).size, 10);
    // 30 random bytes in base64url are 40 characters.
    assert.equal(readSecretFile(ensureSecrets(secretsDir).apiToken).length, 40);
  });

  it('stay as they are once made; only those that are missing are made', () => {
    const files = ensureSecrets(secretsDir);
    const before = readFileSync(files.minioPass, 'utf8');
    const token = readFileSync(files.apiToken, 'utf8');
    rmSync(files.apiToken);

    ensureSecrets(secretsDir);

    assert.equal(readFileSync(files.minioPass, 'utf8'), before);
    assert.notEqual(readFileSync(files.apiToken, 'utf8'), token);
  });

  it('that others could read are closed to them', () => {
    const files = ensureSecrets(secretsDir);
    chmodSync(files.minioPass, 0o644);

    ensureSecrets(secretsDir);

    assert.equal(modeOf(files.minioPass), '600');
  });

  it('that cannot be written are a clear error', () => {
    assert.throws(() => ensureSecrets(join(process.execPath, 'secrets')), /cannot be written.*SEGUE_SECRETS_DIR/);
  });
});

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}
