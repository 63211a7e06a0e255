import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { createApiMetrics } from '../../api/metrics.ts';

const repository = new URL('../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, repository), 'utf8');

describe('docs/reference.md', () => {
  const page = read('docs/reference.md');

  it('names every setting of the worker and the API', () => {
    const sources = ['platform/config.ts', 'platform/process-settings.ts', 'worker/config.ts', 'api/config.ts']
      .map(read)
      .join('\n');
    const settings = new Set([...sources.matchAll(/^\s+(SEGUE_\w+):/gm)].map((match) => match[1]!));
    assert.ok(settings.size > 20);
    for (const setting of settings) assert.ok(page.includes(`\`${setting}\``), setting);
  });

  it('names every metric of the API', async () => {
    const registry = new Registry();
    createApiMetrics(registry);
    for (const { name } of await registry.getMetricsAsJSON()) assert.ok(page.includes(`\`${name}\``), name);
  });
});
