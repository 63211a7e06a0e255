import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { Registry } from 'prom-client';
import { parse } from 'yaml';
import { createApiMetrics } from '../../api/metrics.ts';
import { topics } from '../../contracts/topics.ts';
import { readStackSettings } from '../../stack/config.ts';
import { offsetsRetentionMinutes } from '../../stack/services/kafka.ts';
import { pipelinePolicy } from '../../stack/services/minio-access.ts';
import { dashboardMetrics } from '../support/dashboard.ts';
import { installed } from '../support/installed.ts';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>> | readonly string[];
}

interface ComposeFile {
  readonly include?: readonly string[];
  readonly services?: Readonly<Record<string, Service>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

const folder = new URL('../../compose/', import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, folder), 'utf8');
}

function readYaml(name: string): unknown {
  return parse(read(name), { merge: true });
}

/** No container engine runs in the tests: what is checked is that the files agree with the code and with one another. */
describe('the compose files', () => {
  const main = readYaml('compose.yaml') as ComposeFile;
  const files = main.include!.map((name) => readYaml(name) as ComposeFile);
  const services = Object.assign({}, ...files.map((file) => file.services)) as Record<string, Service>;

  it('publish the ports of the embedded stack, on the loopback interface alone', () => {
    const { ports } = readStackSettings({});
    const expected: Record<string, readonly number[]> = {
      temporal: [ports.temporal, ports.temporalUi],
      minio: [ports.minio, ports.minioConsole],
      kafka: [ports.kafka],
      spark: [ports.spark, ports.sparkUi],
      worker: [ports.workerMetrics],
      api: [ports.api],
    };
    for (const [name, numbers] of Object.entries(expected)) {
      assert.deepEqual(
        services[name]!.ports,
        numbers.map((port) => `127.0.0.1:${port}:${port}`),
        name,
      );
    }
    for (const [name, service] of Object.entries(services)) {
      assert.ok(
        (service.ports ?? []).every((port) => port.startsWith('127.0.0.1:')),
        name,
      );
    }
  });

  it('make the topics of the contract, with their partitions and retention', () => {
    const made = [...services['kafka-topics']!.command![0]!.matchAll(/make (\S+) (\d+) (\d+) ?(compact)?/g)];
    assert.deepEqual(
      made.map(([, name, partitions, retentionMs, cleanupPolicy]) => ({
        name,
        partitions: Number(partitions),
        retentionMs: Number(retentionMs),
        cleanupPolicy,
      })),
      topics.map(({ name, partitions, retentionMs, cleanupPolicy }) => ({
        name,
        partitions,
        retentionMs,
        cleanupPolicy,
      })),
    );
    const [, compression, timestamps] = /guards="compression\.type=(\w+),message\.timestamp\.type=(\w+)"/.exec(
      services['kafka-topics']!.command![0]!,
    )!;
    for (const topic of topics) {
      assert.deepEqual([topic.compressionType, topic.timestampType], [compression, timestamps], topic.name);
    }
  });

  it('let Kafka remember what was read as long as the embedded one does', () => {
    const { environment = {} } = services['kafka']!;
    assert.equal(environment['KAFKA_OFFSETS_RETENTION_MINUTES'], String(offsetsRetentionMinutes));
  });

  it('give the pipeline’s user the rights it has in the embedded stack', () => {
    assert.deepEqual(JSON.parse(read('minio/policy.json')), pipelinePolicy());
  });

  it('set only variables that the processes read', () => {
    const repository = new URL('../../', import.meta.url);
    const known = ['worker/config.ts', 'api/config.ts', 'platform/config.ts', 'platform/service-access.ts']
      .map((name) => readFileSync(new URL(name, repository), 'utf8'))
      .join('\n');
    const names = Object.keys({ ...services['worker']!.environment, ...services['api']!.environment });
    assert.ok(names.includes('SEGUE_S3_ENDPOINT'));
    for (const name of names) assert.ok(known.includes(`${name.replace(/_FILE$/, '')}:`), name);
  });

  it('pin every image, and check the health of everything that stays up', () => {
    for (const [name, service] of Object.entries(services)) {
      assert.ok(service.build ?? /:[\w.-]+$/.test(service.image ?? ''), `${name} has no tag`);
      assert.ok(!service.image?.endsWith(':latest'), name);
      const endsByItself = ['minio-access', 'kafka-topics'].includes(name);
      assert.ok(service.healthcheck ?? endsByItself, `${name} has no healthcheck`);
    }
  });

  it('name only files, secrets, volumes and services that there are', () => {
    const volumes = Object.assign({}, ...files.map((file) => file.volumes)) as Record<string, unknown>;
    for (const [name, service] of Object.entries(services)) {
      for (const secret of service.secrets ?? []) assert.ok(main.secrets![secret], `${name}: secret ${secret}`);
      for (const [source = ''] of (service.volumes ?? []).map((volume) => volume.split(':'))) {
        if (source.startsWith('./')) assert.ok(existsSync(new URL(source, folder)), `${name}: ${source}`);
        else if (/^\w/.test(source)) assert.ok(source in volumes, `${name}: volume ${source}`);
      }
      if (service.build) assert.ok(existsSync(new URL(`../${service.build.dockerfile}`, folder)), name);
      const needed = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
      for (const other of needed as string[]) assert.ok(services[other], `${name} depends on ${other}`);
    }
  });

  it('let Prometheus ask services that there are, on ports they listen on', () => {
    const { scrape_configs: jobs } = readYaml('prometheus/prometheus.yaml') as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const targets = jobs.flatMap((job) => job.static_configs.flatMap((config) => config.targets));
    assert.ok(targets.includes('api:8088') && targets.includes('worker:9464'));
    for (const target of targets) {
      const [service = '', port] = target.split(':');
      assert.ok(services[service], target);
      const published = services[service].ports;
      if (published)
        assert.ok(
          published.some((entry) => entry.endsWith(`:${port}`)),
          target,
        );
    }
  });

  it('draw only metrics that the API has; those of Temporal are looked for in a running worker, by the first run’s test', async () => {
    const registry = new Registry();
    createApiMetrics(registry);
    const known = (await registry.getMetricsAsJSON()).map((metric) => metric.name);
    const names = dashboardMetrics('segue');
    assert.ok(names.length >= 8);
    for (const name of names) assert.ok(known.includes(name.replace(/_(bucket|count|sum)$/, '')), name);
  });

  it('raise alerts over metrics that the API has', async () => {
    const registry = new Registry();
    createApiMetrics(registry);
    const known = (await registry.getMetricsAsJSON()).map((metric) => metric.name);
    const { rule_files: ruleFiles } = readYaml('prometheus/prometheus.yaml') as { rule_files: readonly string[] };
    assert.deepEqual(ruleFiles, ['/etc/prometheus/alerts.yaml']);
    const { groups } = readYaml('prometheus/alerts.yaml') as { groups: { rules: { expr: string }[] }[] };
    const names = groups.flatMap(({ rules }) => rules.flatMap(({ expr }) => expr.match(/\bsegue_\w+/g) ?? []));
    assert.ok(names.length >= 3);
    for (const name of names) assert.ok(known.includes(name), name);
  });

  it('fit the schema of the Compose specification', async function () {
    this.timeout(60_000);
    const paths = ['compose.yaml', ...main.include!].map((name) => fileURLToPath(new URL(name, folder)));
    await checkAgainst('vendor.compose-spec', paths);
    // A checker that takes everything would prove nothing.
    const wrong = join(tmpdir(), `segue-compose-${process.pid}.yaml`);
    await writeFile(wrong, 'services: { api: { image: x, healthchek: {} } }');
    try {
      await assert.rejects(checkAgainst('vendor.compose-spec', [wrong]), /healthchek/);
    } finally {
      await rm(wrong);
    }
  });
});

describe('the CI workflows', () => {
  it('fit the schema of GitHub’s workflows', async function () {
    this.timeout(60_000);
    const workflows = ['ci.yml', 'faults.yml'].map(
      (name) => new URL(`../../.github/workflows/${name}`, import.meta.url),
    );
    await checkAgainst(
      'vendor.github-workflows',
      workflows.map((url) => fileURLToPath(url)),
    );
  });
});

/** Checks YAML files against a schema that check-jsonschema brings along; rejects with what does not fit. */
async function checkAgainst(schema: string, paths: readonly string[]): Promise<void> {
  const { python } = await installed();
  const { exitCode, all } = await execa(python, ['-m', 'check_jsonschema', '--builtin-schema', schema, ...paths], {
    all: true,
    reject: false,
    stdin: 'ignore',
  });
  assert.equal(exitCode, 0, all);
}
