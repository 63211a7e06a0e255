import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ConnectionLike } from '@temporalio/client';
import { createPipeline } from '../../api/pipeline.ts';
import { ask, startApi, testToken as token } from '../support/api-world.ts';

const decisionTimeoutMs = 200;
/** gRPC's code of a call that ends at its deadline, and the stage of an update that no worker has accepted. */
const deadlineExceeded = 4;
const admitted = 1;

/** A Temporal server without a worker: it takes an update, and nobody accepts it; calls end at their deadline. */
class ServerWithoutWorker {
  calls = 0;
  hasEndedCalls = false;
  #deadline = Infinity;

  readonly workflowService = {
    updateWorkflowExecution: async (): Promise<{ readonly stage: number }> => {
      this.calls++;
      await sleep(10);
      if (Date.now() < this.#deadline) return { stage: admitted };
      this.hasEndedCalls = true;
      throw Object.assign(new Error('late'), { code: deadlineExceeded, details: 'late', metadata: {} });
    },
  };

  withDeadline(deadline: number, call: () => Promise<unknown>): Promise<unknown> {
    this.#deadline = deadline;
    return call();
  }
}

describe('a decision about a weekly file', () => {
  it('is answered with 503 when no worker takes it in time, and is not sent again after that', async () => {
    const server = new ServerWithoutWorker();
    const client = new Client({ connection: server as unknown as ConnectionLike });
    const world = await startApi({ pipeline: createPipeline(client, 'segue', decisionTimeoutMs) });
    try {
      const { status, headers, body } = await ask(world, '/pipeline/weekly-trends/decisions', {
        method: 'POST',
        token,
        body: { file: 'trends_2025-01-07.csv', decision: 'accept' },
      });
      assert.deepEqual([status, body['code'], headers.get('retry-after')], [503, 'temporal_away', '5']);
      assert.match(String(body['detail']), /not known whether the decision was taken/);
      assert.ok(server.calls > 1 && server.hasEndedCalls);
    } finally {
      await world.stop();
    }
  });
});
