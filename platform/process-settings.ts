import { logSettings, objectStoreSettings } from './config.ts';
import { kafkaSettings, temporalSettings } from './service-access.ts';

/** What every process of ours reaches: Temporal, the store and Kafka; and how much it says. */
export const processSettings = { ...temporalSettings, ...objectStoreSettings, ...kafkaSettings, ...logSettings };
