import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { topics } from '../../contracts/topics.ts';
import { createKafka, type KafkaOptions } from '../../platform/kafka/client.ts';
import { ensureTopics } from '../../platform/kafka/topics.ts';
import { installed } from './installed.ts';
import { until } from './wait.ts';

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Records for a topic, as a guest sends them. */
export interface GuestRecords {
  readonly topic: string;
  readonly records: readonly { readonly key: string; readonly value: string }[];
  readonly codec?: (typeof codecs)[number];
  /** The records' time; by default the producer's clock. */
  readonly timestampMs?: number;
}

/** A producer that is not ours: Kafka's own Java client, in a process of its own. */
export interface Guest {
  /** Resolves when Kafka has the records; rejects with what it said. */
  send(records: GuestRecords): Promise<void>;
  /** The same in a transaction, which is then committed or aborted. */
  commit(records: GuestRecords): Promise<void>;
  abort(records: GuestRecords): Promise<void>;
  stop(): Promise<void>;
}

export async function startGuest(servers: string): Promise<Guest> {
  const { java, kafkaLibDir } = await installed();
  const source = fileURLToPath(new URL('Guest.java', import.meta.url));
  const options = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', join(kafkaLibDir, '*')];
  const child = execa(java, [...options, source, servers], { reject: false, buffer: false, stderr: 'ignore' });
  const answers = child.iterable();
  let turn: Promise<unknown> = Promise.resolve();

  /** One command after another: an answer belongs to the oldest command. */
  function tell(command: string, { topic, records, codec = 'none', timestampMs }: GuestRecords): Promise<void> {
    const words = [command, topic, codec, timestampMs ?? '', ...records.flatMap(({ key, value }) => [key, value])];
    const said = turn.then(() => exchange(words));
    turn = said.catch(() => undefined);
    return said;
  }

  async function exchange(words: readonly (string | number)[]): Promise<void> {
    child.stdin.write(`${words.join('\t')}\n`);
    const { value } = await answers.next();
    if (value !== 'ok') throw new Error(`the guest said: ${String(value)}`);
  }

  return {
    send: (records) => tell('send', records),
    commit: (records) => tell('commit', records),
    abort: (records) => tell('abort', records),
    stop: async () => {
      child.stdin.end();
      await child;
    },
  };
}

/** Deletes a topic of the contract and makes it again; Kafka takes a moment to let the old one go. */
export async function remakeTopic(kafka: KafkaOptions, name: string): Promise<void> {
  const admin = createKafka(kafka).admin();
  await admin.connect();
  try {
    await admin.deleteTopics({ topics: [name] });
  } finally {
    await admin.disconnect();
  }
  const wanted = topics.filter((topic) => topic.name === name);
  await until('the topic can be made again', () =>
    ensureTopics(kafka.brokers[0]!, wanted).then(
      () => true,
      () => false,
    ),
  );
}
