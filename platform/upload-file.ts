import { open, type FileHandle } from 'node:fs/promises';
import type { Client } from 'minio';

/** One file on its way up. */
export interface FileUpload {
  readonly bucket: string;
  readonly key: string;
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Sees every chunk as it goes up; its bytes are those of a later one afterwards. */
  readonly onChunk?: (chunk: Buffer) => void;
  readonly signal?: AbortSignal;
}

const leastPartBytes = 16 * 1024 * 1024;
/** S3 takes so many parts of one object. */
const mostParts = 10_000;
/** While one part is on its way, the next is read. Each takes its bytes of memory, and no other is asked for. */
const partsAtOnce = 3;
const chunkBytes = 1024 * 1024;

/** No sender lives this long; what an upload began before that was left by one that died. */
const deadAfterMs = 24 * 3_600_000;

/**
 * Sends a file in checksummed parts, some at once. The object is there when all of them are: what fails leaves nothing. Senders of
 * one object do not disturb one another: each has an upload of its own, and the last to end is what is there. One that dies leaves
 * parts, which an upload of the same object removes a day later.
 */
export async function uploadFile(client: Client, upload: FileUpload): Promise<void> {
  const file = await open(upload.path);
  try {
    const { size } = await file.stat();
    const partBytes = Math.max(leastPartBytes, Math.ceil(size / mostParts));
    await (size <= partBytes ? sendWhole(client, upload, file, size) : sendParts(client, upload, file, partBytes));
  } finally {
    await file.close();
  }
}

async function sendWhole(client: Client, upload: FileUpload, file: FileHandle, size: number): Promise<void> {
  const bytes = await fill(Buffer.allocUnsafeSlow(size), file, upload);
  await client.putObject(upload.bucket, upload.key, bytes, bytes.length, { ...upload.metadata });
}

async function sendParts(client: Client, upload: FileUpload, file: FileHandle, partBytes: number): Promise<void> {
  const { bucket, key } = upload;
  await removeDeadUploads(client, upload, Date.now());
  const headers = Object.fromEntries(
    Object.entries(upload.metadata).map(([name, text]) => [`x-amz-meta-${name}`, text]),
  );
  const uploadID = await client.initiateNewMultipartUpload(bucket, key, headers);
  const sending: Promise<void>[] = [];
  try {
    const etags: { part: number; etag: string }[] = [];
    const memory = Array.from({ length: partsAtOnce }, () => Buffer.allocUnsafeSlow(partBytes));
    for (let partNumber = 1; ; partNumber++) {
      const place = partNumber % partsAtOnce;
      await sending[place];
      const bytes = await fill(memory[place]!, file, upload);
      if (bytes.length === 0) break;
      const part = { bucketName: bucket, objectName: key, uploadID, partNumber, headers: {} };
      sending[place] = client.uploadPart(part, bytes).then(({ etag }) => void etags.push({ part: partNumber, etag }));
      // Whoever waits for it hears of its failure.
      sending[place].catch(() => undefined);
    }
    await Promise.all(sending);
    await client.completeMultipartUpload(
      bucket,
      key,
      uploadID,
      etags.toSorted((a, b) => a.part - b.part),
    );
  } catch (error) {
    await Promise.allSettled(sending);
    // The failure is what is told; parts that stay are removed with those of the dead.
    await client.abortMultipartUpload(bucket, key, uploadID).catch(() => undefined);
    throw error;
  }
}

/** Removes the parts of senders that died, so that they take no space for ever; one that may live is left alone. */
export async function removeDeadUploads(
  client: Client,
  { bucket, key }: Pick<FileUpload, 'bucket' | 'key'>,
  now: number,
): Promise<void> {
  const { uploads } = await client.listIncompleteUploadsQuery(bucket, key, '', '', '');
  const dead = uploads.filter((each) => each.key === key && now - each.initiated.getTime() > deadAfterMs);
  for (const { uploadId } of dead) await client.abortMultipartUpload(bucket, key, uploadId);
}

/** As much of the file as there is and fits, from where it was read to. */
async function fill(memory: Buffer, file: FileHandle, { onChunk, signal }: FileUpload): Promise<Buffer> {
  let filled = 0;
  while (filled < memory.length) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(memory, filled, Math.min(chunkBytes, memory.length - filled));
    if (bytesRead === 0) break;
    onChunk?.(memory.subarray(filled, filled + bytesRead));
    filled += bytesRead;
  }
  return memory.subarray(0, filled);
}
