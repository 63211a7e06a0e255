import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Client, S3Error } from 'minio';
import { uploadFile, type FileUpload } from './upload-file.ts';

/** An object as the store describes it. `etag` changes with the content; `metadata` keys are lower case. */
export interface ObjectInfo {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** An object as a listing tells of it; `modifiedAt` in epoch ms. */
export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedAt: number;
}

/** The condition of a write: only if the key is free, or only over the version with this etag. */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifEtag: string };

/** The error of a write whose condition was false: a different writer was faster. Nothing was changed. */
export class ConditionFailed extends Error {
  override readonly name = 'ConditionFailed';
}

/** The few things we ask of an S3 store. */
export interface ObjectStore {
  /** The metadata of the object at this key, or undefined. */
  head(bucket: string, key: string): Promise<ObjectInfo | undefined>;
  /** The content of the object (for small objects and snapshot shards), or undefined. */
  get(bucket: string, key: string): Promise<{ readonly body: Buffer; readonly etag: string } | undefined>;
  /** Writes a small object at once; throws ConditionFailed when the condition does not hold. */
  put(
    bucket: string,
    key: string,
    body: string | Buffer,
    condition?: WriteCondition,
  ): Promise<{ readonly etag: string }>;
  /** Sends a file in checksummed parts; visible only when whole, so a repeated upload is harmless. */
  uploadFile(upload: FileUpload): Promise<void>;
  /** Removes an object. A missing object is not an error. */
  remove(bucket: string, key: string): Promise<void>;
  /** Every key under a prefix, in order. With `startAfter`, only the keys after that key. */
  list(bucket: string, prefix: string, startAfter?: string): Promise<readonly string[]>;
  /** Every object under a prefix, without its metadata, which a listing does not tell. */
  listObjects(bucket: string, prefix: string): Promise<readonly ListedObject[]>;
  /** The bytes of an object as a stream, or undefined. */
  read(bucket: string, key: string): Promise<Readable | undefined>;
}

/** The address of the store and the credentials for it. */
export interface ObjectStoreOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The S3 store through the `minio` client. Over plain http each part carries a SHA-256 that the server checks. */
export function createObjectStore(options: ObjectStoreOptions): ObjectStore {
  const url = new URL(options.endpoint);
  const client = new Client({
    endPoint: url.hostname,
    port: url.port ? Number(url.port) : url.protocol === 'https:' ? 443 : 80,
    useSSL: url.protocol === 'https:',
    region: options.region,
    accessKey: options.accessKey,
    secretKey: options.secretKey,
  });
  return {
    head: (bucket, key) => orUndefined(() => head(client, bucket, key)),
    get: (bucket, key) => orUndefined(() => get(client, bucket, key)),
    put: (bucket, key, body, condition) => put(client, { bucket, key, body, condition }),
    uploadFile: async (upload) => {
      try {
        await uploadFile(client, upload);
      } catch (error) {
        throw explained(error, `${upload.bucket}/${upload.key}`);
      }
    },
    remove: (bucket, key) => client.removeObject(bucket, key),
    list: async (bucket, prefix, startAfter) =>
      (await listObjects(client, bucket, prefix, startAfter)).map(({ key }) => key),
    listObjects: (bucket, prefix) => listObjects(client, bucket, prefix),
    read: (bucket, key) => orUndefined(() => client.getObject(bucket, key)),
  };
}

async function head(client: Client, bucket: string, key: string): Promise<ObjectInfo> {
  const info = await client.statObject(bucket, key);
  const metadata = Object.fromEntries(
    Object.entries(info.metaData as Record<string, string>).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return { sizeBytes: info.size, etag: info.etag, metadata };
}

async function get(client: Client, bucket: string, key: string): Promise<{ body: Buffer; etag: string }> {
  const stream = await client.getObject(bucket, key);
  const etag = (stream as Readable & { headers?: { etag?: string } }).headers?.etag ?? '';
  return { body: await buffer(stream), etag: etag.replaceAll('"', '') };
}

interface SmallWrite {
  readonly bucket: string;
  readonly key: string;
  readonly body: string | Buffer;
  readonly condition: WriteCondition | undefined;
}

async function put(client: Client, write: SmallWrite): Promise<{ etag: string }> {
  const { bucket, key, condition } = write;
  const body = Buffer.from(write.body);
  try {
    const { etag } = await client.putObject(bucket, key, body, body.length, conditionHeaders(condition));
    return { etag };
  } catch (cause) {
    if (!isConditionFailure(cause)) throw cause;
    throw new ConditionFailed(`${bucket}/${key} was written by somebody else first`, { cause });
  }
}

function conditionHeaders(condition: WriteCondition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  return 'ifAbsent' in condition ? { 'If-None-Match': '*' } : { 'If-Match': condition.ifEtag };
}

/** The client keeps a server error's reason to itself; most often it is a full disk. */
function explained(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || !error.message.includes('Retryable HTTP status')) return error;
  const advice = "look at the store's log and its free disk space; the upload is tried again";
  return new Error(`${what}: the store could not take it (${error.message}); ${advice}`, { cause: error });
}

async function listObjects(
  client: Client,
  bucket: string,
  prefix: string,
  startAfter?: string,
): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const item of client.listObjectsV2(bucket, prefix, true, startAfter)) {
    // The client's own type leaves the fields of an object open: a recursive listing has no folders.
    const { name, size, etag, lastModified } = item as { name: string; size: number; etag: string; lastModified: Date };
    objects.push({ key: name, sizeBytes: size, etag, modifiedAt: lastModified.getTime() });
  }
  return objects;
}

async function orUndefined<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof S3Error && ['NotFound', 'NoSuchKey'].includes(error.code ?? '')) return undefined;
    throw error;
  }
}

function isConditionFailure(error: unknown): boolean {
  return error instanceof S3Error && ['PreconditionFailed', 'ConditionalRequestConflict'].includes(error.code ?? '');
}
