import { createLogger } from '../platform/logger.ts';
import { readWorkerConfig } from './config.ts';
import { runWorker } from './run-worker.ts';

const config = readWorkerConfig(process.env);
const logger = createLogger({ name: 'segue-worker', level: config.SEGUE_LOG_LEVEL });
await runWorker(config, logger);
