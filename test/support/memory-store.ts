import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { ConditionFailed, type ObjectStore } from '../../platform/object-store.ts';

interface Stored {
  readonly body: Buffer;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modifiedAt: number;
}

/** An object store in memory, with the conditional writes of a real one. */
export function createMemoryStore(): ObjectStore & { readonly objects: Map<string, Stored> } {
  const objects = new Map<string, Stored>();
  const store = (name: string, body: Buffer, metadata: Readonly<Record<string, string>> = {}): Stored => {
    const stored = { body, etag: createHash('md5').update(body).digest('hex'), metadata, modifiedAt: Date.now() };
    objects.set(name, stored);
    return stored;
  };
  return {
    objects,
    head: async (bucket, key) => {
      const found = objects.get(`${bucket}/${key}`);
      return found && { sizeBytes: found.body.length, etag: found.etag, metadata: found.metadata };
    },
    get: async (bucket, key) => objects.get(`${bucket}/${key}`),
    put: async (bucket, key, body, condition) => {
      const there = objects.get(`${bucket}/${key}`);
      const fails = condition && ('ifAbsent' in condition ? there !== undefined : there?.etag !== condition.ifEtag);
      if (fails) throw new ConditionFailed(`${bucket}/${key}`);
      return store(`${bucket}/${key}`, Buffer.from(body));
    },
    uploadFile: async (upload) => {
      const body = await readFile(upload.path);
      upload.onChunk?.(body);
      store(`${upload.bucket}/${upload.key}`, body, upload.metadata);
    },
    remove: async (bucket, key) => {
      objects.delete(`${bucket}/${key}`);
    },
    list: async (bucket, prefix, startAfter = '') =>
      [...objects.keys()]
        .flatMap((name) => (name.startsWith(`${bucket}/${prefix}`) ? [name.slice(bucket.length + 1)] : []))
        .filter((key) => key > startAfter),
    listObjects: async (bucket, prefix) =>
      [...objects].flatMap(([name, { body, etag, modifiedAt }]) =>
        name.startsWith(`${bucket}/${prefix}`)
          ? [{ key: name.slice(bucket.length + 1), sizeBytes: body.length, etag, modifiedAt }]
          : [],
      ),
    read: async (bucket, key) => {
      const found = objects.get(`${bucket}/${key}`);
      return found && Readable.from([found.body]);
    },
  };
}
