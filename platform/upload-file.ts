import { open, type FileHandle } from 'node:fs/promises';
import type { Client } from 'minio';

/** An upload of a file. */
export interface FileUpload {
  readonly bucket: string;
  readonly key: string;
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Receives every chunk of the upload. A later chunk overwrites its bytes. */
  readonly onChunk?: (chunk: Buffer) => void;
  readonly signal?: AbortSignal;
}

const leastPartBytes = 16 * 1024 * 1024;
/** The most parts of an object that S3 accepts. */
const mostParts = 10_000;
/**
 * The upload reads the next part while it sends a part. Each part has a fixed buffer, and the upload allocates no
 * further memory.
 */
const partsAtOnce = 3;
const chunkBytes = 1024 * 1024;

/** The longest life of a sender. An older unfinished upload belongs to a sender that died. */
const deadAfterMs = 24 * 3_600_000;

/**
 * Sends a file in checksummed parts, several at the same time. The object appears when all parts have arrived, and a
 * failed upload leaves no object. Several senders of an object do not disturb each other: each sender has an upload of
 * its own, and the last finished upload wins. A sender that dies leaves parts behind, which a later upload of the same
 * object removes after a day.
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
      // The waiting caller receives the failure.
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
    // Report the failure of the upload. A later upload removes parts that stay behind.
    await client.abortMultipartUpload(bucket, key, uploadID).catch(() => undefined);
    throw error;
  }
}

/**
 * Removes the parts of dead senders, so that they do not fill the store. The function keeps uploads that may be alive.
 */
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
