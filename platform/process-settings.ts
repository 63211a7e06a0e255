import { z } from 'zod';
import { rules } from '../contracts/acceptance/rules.ts';
import { parseTime } from '../contracts/acceptance/time.ts';
import { logSettings, objectStoreSettings } from './config.ts';
import { kafkaSettings, temporalSettings } from './service-access.ts';

/** Which listens every process takes. */
export const acceptanceSettings = {
  /** The earliest time of a listen. Every door refuses an earlier listen. */
  SEGUE_EARLIEST_LISTEN: z
    .string()
    .default(rules.time.earliest)
    .transform((text, context) => {
      const ms = parseTime(text);
      if (ms !== undefined) return new Date(ms).toISOString();
      context.addIssue({ code: 'custom', message: `give an ISO 8601 time such as ${rules.time.earliest}` });
      return z.NEVER;
    }),
};

/** The settings of every process: Temporal, the store, Kafka, the log level, and the accepted listens. */
export const processSettings = {
  ...temporalSettings,
  ...objectStoreSettings,
  ...kafkaSettings,
  ...logSettings,
  ...acceptanceSettings,
};
