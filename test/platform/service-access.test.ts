import assert from 'node:assert/strict';
import { z } from 'zod';
import { readConfig } from '../../platform/config.ts';
import {
  kafkaAccess,
  kafkaJavaProperties,
  kafkaSettings,
  temporalAccess,
  temporalSettings,
  type KafkaAccess,
  type TemporalAccess,
} from '../../platform/service-access.ts';

const temporal = (env: NodeJS.ProcessEnv): TemporalAccess =>
  temporalAccess(readConfig(z.object(temporalSettings), env));
const kafka = (env: NodeJS.ProcessEnv): KafkaAccess => kafkaAccess(readConfig(z.object(kafkaSettings), env));

describe('how Temporal is reached', () => {
  it('is an address alone unless told otherwise', () => {
    assert.deepEqual(temporal({}), { address: '127.0.0.1:7233' });
  });

  it('is over TLS with an API key, as Temporal Cloud wants it', () => {
    assert.deepEqual(temporal({ SEGUE_TEMPORAL_ADDRESS: 'cloud:7233', SEGUE_TEMPORAL_API_KEY: 'key' }), {
      address: 'cloud:7233',
      tls: {},
      apiKey: 'key',
    });
  });

  it('is over TLS with a certificate of one’s own', () => {
    const given = { SEGUE_TEMPORAL_TLS_CERT: 'crt', SEGUE_TEMPORAL_TLS_KEY: 'key', SEGUE_TEMPORAL_TLS_CA: 'ca' };
    assert.deepEqual(temporal(given).tls, {
      serverRootCACertificate: Buffer.from('ca'),
      clientCertPair: { crt: Buffer.from('crt'), key: Buffer.from('key') },
    });
  });
});

describe('how Kafka is reached', () => {
  it('is by brokers alone unless told otherwise, also from Java', () => {
    const access = kafka({ SEGUE_KAFKA_BROKERS: 'one:9092, two:9092' });
    assert.deepEqual(access, { brokers: ['one:9092', 'two:9092'] });
    assert.deepEqual(kafkaJavaProperties(access), {});
  });

  it('is over TLS with a user and a password, said to both clients', () => {
    const access = kafka({
      SEGUE_KAFKA_SSL: 'true',
      SEGUE_KAFKA_SASL_MECHANISM: 'scram-sha-512',
      SEGUE_KAFKA_USERNAME: 'segue',
      SEGUE_KAFKA_PASSWORD: 'a "b" \\ c',
    });
    assert.deepEqual(access.sasl, { mechanism: 'scram-sha-512', username: 'segue', password: 'a "b" \\ c' });
    assert.deepEqual(access.ssl, {});
    assert.deepEqual(kafkaJavaProperties(access), {
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="segue" password="a \\"b\\" \\\\ c";',
    });
  });

  it('trusts an authority that is given as PEM', () => {
    const access = kafka({ SEGUE_KAFKA_SSL_CA: 'pem' });
    assert.deepEqual(access.ssl, { ca: 'pem' });
    assert.deepEqual(kafkaJavaProperties(access), {
      'security.protocol': 'SSL',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.certificates': 'pem',
    });
  });
});
