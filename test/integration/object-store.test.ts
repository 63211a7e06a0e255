import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Client } from 'minio';
import { createObjectStore, type ObjectStore } from '../../platform/object-store.ts';
import { removeDeadUploads } from '../../platform/upload-file.ts';
import { readSecretFile, secretFiles } from '../../stack/secrets.ts';
import { startStack, type RunningStack } from '../../stack/stack.ts';
import { temporaryFolder } from '../stack/small-services.ts';

const bucket = 'landing';
const key = 'historical/large.csv';
/** Three parts, the last of them small. */
const largeBytes = 2 * 16 * 1024 * 1024 + 12_345;

describe('a file on its way to the store', function () {
  this.timeout(120_000);
  let folder: ReturnType<typeof temporaryFolder>;
  let stack: RunningStack;
  let store: ObjectStore;
  let client: Client;
  let path: string;
  const content = randomBytes(largeBytes);

  before(async () => {
    folder = temporaryFolder();
    stack = await startStack({ stateDir: folder.path, services: ['minio'] });
    const { minioUser, minioPass } = secretFiles(stack.settings.secretsDir);
    const [accessKey, secretKey] = [readSecretFile(minioUser), readSecretFile(minioPass)];
    const endpoint = stack.env['SEGUE_S3_ENDPOINT']!;
    store = createObjectStore({ endpoint, region: 'us-east-1', accessKey, secretKey });
    const { hostname, port } = new URL(endpoint);
    client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
    path = join(folder.path, 'large.csv');
    await writeFile(path, content);
  });

  beforeEach(() => store.remove(bucket, key));

  after(async () => {
    await stack?.stop();
    folder.remove();
  });

  const upload = (of: { readonly onChunk?: (chunk: Buffer) => void; readonly signal?: AbortSignal } = {}) =>
    store.uploadFile({ bucket, key, path, metadata: { sha256: 'abc', rows: '7' }, ...of });

  it('arrives in parts as it was, with its metadata, and every byte was seen on its way', async () => {
    const seen: Buffer[] = [];
    await upload({ onChunk: (chunk) => seen.push(Buffer.from(chunk)) });

    assert.ok(Buffer.concat(seen).equals(content));
    const info = await store.head(bucket, key);
    assert.equal(info?.sizeBytes, largeBytes);
    assert.deepEqual([info.metadata['sha256'], info.metadata['rows']], ['abc', '7']);
    assert.match(info.etag, /-3$/, 'an object of three parts');
    const stored = await store.read(bucket, key);
    assert.ok((await buffer(stored!)).equals(content));
  });

  it('arrives whole when it is small, or empty', async () => {
    for (const size of [0, 1, 70_000]) {
      await writeFile(path, content.subarray(0, size));
      await upload();
      const stored = await store.get(bucket, key);
      assert.ok(stored?.body.equals(content.subarray(0, size)), `${size} bytes`);
      assert.equal((await store.head(bucket, key))?.metadata['sha256'], 'abc');
    }
    await writeFile(path, content);
  });

  it('leaves nothing when it is stopped, and says so', async () => {
    const stopping = new AbortController();
    let sent = 0;
    const stopped = upload({
      signal: stopping.signal,
      onChunk: ({ length }) => {
        if ((sent += length) > largeBytes / 2) stopping.abort(new Error('stopped by the test'));
      },
    });
    await assert.rejects(stopped, /stopped by the test/);
    assert.equal(await store.head(bucket, key), undefined);
    assert.equal(await client.findUploadId(bucket, key), undefined);
  });

  it('arrives although somebody else sends the same object: neither ends the other’s upload', async () => {
    const uploadID = await client.initiateNewMultipartUpload(bucket, key, {});
    const part = { bucketName: bucket, objectName: key, uploadID, partNumber: 1, headers: {} };
    const { etag } = await client.uploadPart(part, Buffer.from('of another content'));

    await upload();

    await client.completeMultipartUpload(bucket, key, uploadID, [{ part: 1, etag }]);
    assert.equal((await store.get(bucket, key))?.body.toString(), 'of another content');
    await Promise.all([upload(), upload(), upload()]);
    assert.ok((await store.get(bucket, key))?.body.equals(content));
    assert.equal(await client.findUploadId(bucket, key), undefined);
  });

  it('is sent again whole by who finds the parts of one that died, which are removed a day later', async () => {
    const died = await client.initiateNewMultipartUpload(bucket, key, {});
    const part = { bucketName: bucket, objectName: key, uploadID: died, partNumber: 1, headers: {} };
    await client.uploadPart(part, Buffer.from('of another content'));

    await upload();

    const stored = await store.read(bucket, key);
    assert.ok((await buffer(stored!)).equals(content));
    assert.equal(await client.findUploadId(bucket, key), died);
    const hour = 3_600_000;
    await removeDeadUploads(client, { bucket, key }, Date.now() + 23 * hour);
    assert.equal(await client.findUploadId(bucket, key), died);
    await removeDeadUploads(client, { bucket, key }, Date.now() + 25 * hour);
    assert.equal(await client.findUploadId(bucket, key), undefined);
  });
});
