import { z } from 'zod';

/** The interface between TypeScript and spark-submit/jobs/stream_events.py. */

export const streamEventsParams = z.object({
  runKey: z.string().min(1),
  lakeUri: z.string(),
  checkpointsUri: z.string().describe('folder of the checkpoints, one folder per topic below it'),
  servers: z.string().describe('Kafka, a comma list of host:port'),
  triggerMs: z
    .number()
    .int()
    .positive()
    .describe('a batch begins this long after the one before began, at the earliest'),
  maxOffsetsPerTrigger: z.number().int().positive().describe('the most records of a topic that one batch takes'),
  earliest: z.string().describe('ISO 8601: the earliest time of a listen that is taken'),
  leaseUri: z.string().describe('the object that names the driver which may write'),
  leaseOwner: z.string(),
  startFrom: z.enum(['table', 'earliest']),
});

/** A line that the driver prints: the position of a topic. */
export const streamLine = z.object({
  segue: z.literal('stream'),
  topic: z.string(),
  state: z.enum(['starting', 'running', 'waiting']),
  batchId: z.number().int(),
  offsets: z.record(z.string(), z.number().int()),
  lag: z.number().int(),
  batchRows: z.number().int(),
  batchMs: z.number().int(),
  rows: z.number().int(),
  refused: z.number().int(),
  topicId: z.string().nullable(),
  madeAnew: z.number().int(),
  error: z.string().nullable(),
});

export type StreamEventsParams = z.infer<typeof streamEventsParams>;
