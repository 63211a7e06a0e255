import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip, unzip } from 'node:zlib';
import kafkajs, { CompressionTypes, type KafkaMessage } from 'kafkajs';

// Not among the names that Node finds in the module.
const { CompressionCodecs } = kafkajs;

/** The most bytes of a batch after decompression. Batches of Segue have less than 1 MiB. */
export const mostBatchBytes = 32 * 1024 * 1024;
/**
 * The most records that may stand for an unreadable batch. Beyond this number the consumer ends, and the supervision of
 * consumers notices that.
 */
const mostRecords = 1_000_000;

/**
 * The key of the records that stand for an unreadable batch. Each process makes a random key, so that no other producer
 * can send it.
 */
const mark = Buffer.from(randomUUID());

/**
 * Registers every codec in kafkajs. kafkajs itself reads only gzip: a batch in a different codec would fail the whole
 * fetch and end the consumer. With these codecs, kafkajs receives records that mark the unreadable batch
 * (`unreadableReason`), at the offsets of the batch, and continues after it. See docs/adr/0019. Safe to repeat.
 */
export function registerCodecs(): void {
  const compressGzip = promisify(gzip);
  const unzipBounded = promisify<Buffer, object, Buffer>(unzip);
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: ({ buffer }: { readonly buffer: Buffer }) => compressGzip(buffer),
    decompress: async (batch: Buffer) => {
      try {
        return await unzipBounded(batch, { maxOutputLength: mostBatchBytes });
      } catch (error) {
        return recordsInsteadOf(batch, `gzip, ${(error as Error).message}`);
      }
    },
  });
  for (const [name, type] of Object.entries(foreignCodecs) as [string, 2 | 3 | 4][]) {
    CompressionCodecs[type] = () => ({
      compress: () => Promise.reject(new Error(`${name} is not written here`)),
      decompress: async (batch: Buffer) => recordsInsteadOf(batch, name),
    });
  }
}

const foreignCodecs = {
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const;

/** The reason why a record is unreadable. Undefined for a readable record. */
export function unreadableReason(message: KafkaMessage): string | undefined {
  return message.key !== null && mark.equals(message.key) ? message.value?.toString('utf8') : undefined;
}

/** Where the fields of a record batch (format v2) lie, in bytes before its compressed records. */
const beforeRecords = { magic: 45, lastOffsetDelta: 38, count: 4 };

/**
 * Encodes as many records as the batch has, in the form that kafkajs expects: each record has the mark and the reason,
 * and the last record has the batch's last offset. kafkajs passes a view into the received batch, directly after the
 * batch's header.
 */
function recordsInsteadOf(batch: Buffer, reason: string): Buffer {
  const head = Buffer.from(batch.buffer, 0, batch.byteOffset);
  const at = (bytesBefore: number): number => head.length - bytesBefore;
  if (head.length < 61 || head.readInt8(at(beforeRecords.magic)) !== 2) throw new Error(`a batch in ${reason}`);
  const count = head.readInt32BE(at(beforeRecords.count));
  const last = head.readInt32BE(at(beforeRecords.lastOffsetDelta));
  if (count < 1 || count > mostRecords) throw new Error(`a batch of ${count} records in ${reason}`);
  const value = Buffer.from(reason);
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => encodeRecord(index === count - 1 ? last : index, value)),
  );
}

/** A record of format v2: attributes, time delta, offset delta, key, value, no headers; with its length before it. */
function encodeRecord(offsetDelta: number, value: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 0]),
    varint(offsetDelta),
    varint(mark.length),
    mark,
    varint(value.length),
    value,
    Buffer.from([0]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

/** A number of at least 0 in zigzag and base 128, as records have it. */
function varint(number: number): Buffer {
  const bytes: number[] = [];
  let rest = number * 2;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
