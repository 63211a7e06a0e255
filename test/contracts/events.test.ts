import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { events, type EventField } from '../../contracts/events.ts';
import { feedbackEvent, listeningEvent, pipelineEvent, recommendationEvent } from '../../contracts/schemas/events.ts';
import { topics } from '../../contracts/topics.ts';

const schemas: Readonly<Record<string, z.ZodObject>> = {
  listeningEvent,
  recommendationEvent,
  pipelineEvent,
  feedbackEvent,
};

/** Events as earlier versions of the product wrote them; never changed, only added to. */
const recorded = JSON.parse(readFileSync(new URL('recorded/events-v1.json', import.meta.url), 'utf8')) as Record<
  string,
  readonly Record<string, unknown>[]
>;

/** A field that fits, and one that does not. */
function samples(field: EventField, schemaVersion: number): { readonly good: unknown; readonly bad: unknown } {
  if (field.name === 'schema_version') return { good: schemaVersion, bad: schemaVersion + 1 };
  if (field.allowed) return { good: field.allowed.at(-1), bad: 'something else' };
  switch (field.type) {
    case 'string':
      return { good: 'x'.repeat(field.maxLength ?? 5_000), bad: field.maxLength ? 'x'.repeat(field.maxLength + 1) : 7 };
    case 'int':
      return { good: 1, bad: 'one' };
    case 'timestamp':
      return { good: '2025-01-02T03:04:05.678+02:00', bad: 'yesterday' };
    case 'array<string>':
      return { good: ['a', 'b'], bad: [1] };
    case 'map':
      return { good: { a: 1, b: 'two', c: null }, bad: [] };
  }
  return field.type satisfies never;
}

describe('the event contract', () => {
  for (const definition of events) {
    const schema = schemas[definition.name]!;
    const whole = Object.fromEntries(
      definition.fields.map((field) => [field.name, samples(field, definition.schemaVersion).good]),
    );

    it(`says of ${definition.name} what its schema says: fields, which are required, and what they take`, () => {
      assert.deepEqual(
        Object.keys(schema.shape),
        definition.fields.map(({ name }) => name),
      );
      assert.ok(schema.safeParse(whole).success);
      for (const field of definition.fields) {
        const { bad } = samples(field, definition.schemaVersion);
        assert.equal(schema.safeParse({ ...whole, [field.name]: bad }).success, false, `${field.name}: ${String(bad)}`);
        const without = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== field.name));
        assert.equal(schema.safeParse(without).success, !field.required, `without ${field.name}`);
        assert.equal(
          schema.safeParse({ ...whole, [field.name]: null }).success,
          !field.required,
          `${field.name}: null`,
        );
      }
    });

    it(`reads every ${definition.name} that was ever written, and one with a field it does not know`, () => {
      const written = recorded[definition.name]!;
      assert.ok(written.length > 0);
      for (const event of written) {
        assert.deepEqual(schema.parse(event), event);
        assert.deepEqual(schema.parse({ ...event, added_later: 1 }), event);
      }
    });
  }

  it('keys events by fields they have, on topics that there are', () => {
    const names = topics.map((topic) => topic.name);
    for (const { topic, keyedBy, fields } of events) {
      assert.ok(names.includes(topic), topic);
      for (const key of keyedBy)
        assert.ok(
          fields.some((field) => field.name === key && field.required),
          key,
        );
    }
  });
});
