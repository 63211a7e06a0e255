import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { topics } from '../../contracts/topics.ts';
import { ensureTopics, pingKafka } from '../../platform/kafka/topics.ts';
import { portVariables, repositoryRoot, type StackPorts } from '../config.ts';
import { loopback } from '../environment.ts';
import { StackError } from '../errors.ts';
import type { ServiceContext } from './context.ts';
import type { ServiceDefinition } from './service.ts';

const heap = ['-Xms256m', '-Xmx512m'];
const weekHours = 7 * 24;

/**
 * The time for which Kafka remembers the offsets of a group without members. `dlq replay` stores its position as such
 * an offset. The position must outlive the dead letters: 30 days, and the week until their segment is full.
 */
export const offsetsRetentionMinutes = 40 * 24 * 60;

/** Kafka: a single node that is broker and controller (KRaft), with the contract's topics. */
export function kafkaService({ settings, installed }: ServiceContext): ServiceDefinition {
  const { ports, stateDir } = settings;
  const folder = join(stateDir, 'kafka');
  const propertiesFile = join(folder, 'server.properties');
  const properties = serverProperties(ports, join(folder, 'data'));
  const java = [...javaOptions(), '-cp', join(installed.kafkaLibDir, '*')];
  return {
    name: 'kafka',
    title: 'Kafka',
    needs: [],
    ports: [
      { port: ports.kafka, label: 'Kafka', variable: portVariables.kafka },
      { port: ports.kafkaController, label: 'Kafka controller', variable: portVariables.kafkaController },
    ],
    command: {
      file: installed.java,
      args: [...heap, ...java, 'kafka.Kafka', propertiesFile],
      env: {},
      cwd: folder,
    },
    fingerprint: properties,
    prepare: async () => {
      await mkdir(folder, { recursive: true });
      await writeFile(propertiesFile, properties);
      await formatOnce({ folder, propertiesFile, java: installed.java, options: java });
    },
    probe: () => pingKafka(loopback(ports.kafka)),
    provision: () => ensureTopics(loopback(ports.kafka), topics),
    startTimeoutMs: 90_000,
    stopTimeoutMs: 8_000,
  };
}

function javaOptions(): string[] {
  return [
    `-Dlog4j2.configurationFile=${join(repositoryRoot, 'stack', 'kafka', 'log4j2.properties')}`,
    '-Djava.awt.headless=true',
    '-XX:+UseG1GC',
    // A short start counts for more here than peak throughput.
    '-XX:TieredStopAtLevel=1',
    '-XX:+ExitOnOutOfMemoryError',
  ];
}

function serverProperties(ports: StackPorts, dataFolder: string): string {
  const lines = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${loopback(ports.kafkaController)}`,
    listeners: `PLAINTEXT://${loopback(ports.kafka)},CONTROLLER://${loopback(ports.kafkaController)}`,
    'advertised.listeners': `PLAINTEXT://${loopback(ports.kafka)}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataFolder,
    'auto.create.topics.enable': 'false',
    'num.partitions': '1',
    'default.replication.factor': '1',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '8',
    'offsets.retention.minutes': String(offsetsRetentionMinutes),
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'log.retention.hours': String(weekHours),
    // A single consumer joins each group here: waiting for more consumers would only delay it.
    'group.initial.rebalance.delay.ms': '0',
    'controlled.shutdown.max.retries': '1',
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Gives the storage its cluster id at the first start. Safe to repeat: existing storage stays unchanged. */
async function formatOnce(storage: {
  readonly folder: string;
  readonly propertiesFile: string;
  readonly java: string;
  readonly options: readonly string[];
}): Promise<void> {
  const doneFile = join(storage.folder, 'cluster-id');
  const isFormatted = await readFile(doneFile, 'utf8').catch(() => undefined);
  if (isFormatted !== undefined) return;
  // Left by a format that was interrupted: nothing was ever written to it by a broker.
  await rm(join(storage.folder, 'data'), { recursive: true, force: true });
  const clusterId = newClusterId(() => randomBytes(16));
  const { exitCode, all } = await execa(
    storage.java,
    [...storage.options, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', storage.propertiesFile],
    { all: true, reject: false, stdin: 'ignore' },
  );
  if (exitCode !== 0) throw new StackError(`Kafka's storage could not be formatted: ${all}`);
  await writeFile(doneFile, clusterId);
}

/**
 * A random cluster id in Kafka's format: 16 bytes in base64url. It never starts with a dash, because Kafka's command
 * line would read such an id as an option.
 */
export function newClusterId(random16Bytes: () => Buffer): string {
  const id = random16Bytes().toString('base64url');
  return id.startsWith('-') ? newClusterId(random16Bytes) : id;
}
