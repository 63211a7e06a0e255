import { apiService } from './api.ts';
import type { ServiceContext } from './context.ts';
import { kafkaService } from './kafka.ts';
import { minioService } from './minio.ts';
import type { ServiceDefinition, ServiceName } from './service.ts';
import { sparkService } from './spark.ts';
import { temporalService } from './temporal.ts';
import { workerService } from './worker.ts';

const makers: Readonly<Record<ServiceName, (context: ServiceContext) => ServiceDefinition>> = {
  temporal: temporalService,
  minio: minioService,
  kafka: kafkaService,
  spark: sparkService,
  worker: workerService,
  api: apiService,
};

/** The definitions of some services of the stack. */
export function defineServices(names: readonly ServiceName[], context: ServiceContext): ServiceDefinition[] {
  return names.map((name) => makers[name](context));
}
