import { z } from 'zod';
import { topics } from '../contracts/topics.ts';
import { readConfig } from '../platform/config.ts';
import { listDeadLetters, replayDeadLetters, type DeadLetter } from '../platform/kafka/dead-letters.ts';
import type { KafkaOptions } from '../platform/kafka/client.ts';
import { createLogger } from '../platform/logger.ts';
import { kafkaAccess, kafkaSettings } from '../platform/service-access.ts';
import { readStackSettings } from './config.ts';
import { loopback } from './environment.ts';
import { StackError } from './errors.ts';
import { runMain } from './interrupts.ts';

const streamed = topics.flatMap(({ name, bronzeTable }) => (bronzeTable ? [name] : []));
const usage = `npm run dlq -- list | replay TOPIC

  list    shows the records that bronze could not take, with the reason and where they lay
  replay  sends those that were not replayed before to their topic again, after a fix

  TOPIC is one of ${streamed.join(', ')}; Kafka is that of SEGUE_KAFKA_BROKERS, or the stack's`;
const shownCharacters = 120;

await runMain(async () => {
  const [command, topic = ''] = process.argv.slice(2);
  if (!command || !streamed.includes(topic)) throw new StackError(usage);
  switch (command) {
    case 'list':
      return list(topic);
    case 'replay':
      return replay(topic);
    default:
      throw new StackError(`There is no command "${command}".\n\n${usage}`);
  }
});

async function list(topic: string): Promise<number> {
  const letters = await listDeadLetters(kafka(), topic);
  for (const letter of letters) console.log(describe(letter));
  const open = letters.filter(({ isReplayed }) => !isReplayed).length;
  console.log(`${letters.length} refused records of ${topic}, ${open} not replayed`);
  return 0;
}

function describe({ offset, detectedAt, place, reason, value, isReplayed }: DeadLetter): string {
  const text = (value?.toString('utf8', 0, 4 * shownCharacters) ?? '(no value)').slice(0, shownCharacters);
  const head = printable(`${offset}  ${detectedAt}  ${place}  ${reason}`);
  return `${head}${isReplayed ? '  (replayed)' : ''}\n    ${printable(text)}`;
}

/** Foreign text must not control the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '\ufffd');
}

async function replay(topic: string): Promise<number> {
  const { replayed, doubled } = await replayDeadLetters(kafka(), topic);
  const twice = doubled > 0 ? `; ${doubled} were there twice and were sent once` : '';
  console.log(`${replayed} records were sent to ${topic} again${twice}. What is refused again will be listed again.`);
  return 0;
}

function kafka(): KafkaOptions {
  const own = { SEGUE_KAFKA_BROKERS: loopback(readStackSettings(process.env).ports.kafka) };
  const settings = readConfig(z.object(kafkaSettings), process.env['SEGUE_KAFKA_BROKERS'] ? process.env : own);
  return {
    ...kafkaAccess(settings),
    clientId: 'segue-dlq',
    logger: createLogger({ name: 'segue-dlq', level: 'error' }),
  };
}
