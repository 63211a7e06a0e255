import type { ErrorRequestHandler } from 'express';
import type { z } from 'zod';
import { clientFault, Problem, problems } from '../problems.ts';

/** An error as ListenBrainz's clients know it: `{"code": …, "error": …}`. */
export class ScrobbleError extends Error {
  override readonly name = 'ScrobbleError';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** Parses a part of a request; throws a ScrobbleError about the first thing that cannot be used. */
export function parseScrobbleInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ScrobbleError(400, `'${issue!.path.join('.')}' ${issue!.message}`);
}

/** Answers every error under /1 in ListenBrainz's format. */
export const answerScrobbleError: ErrorRequestHandler = (error: unknown, request, response, next) => {
  if (response.headersSent) return next(error);
  const { status, message } = translate(error);
  if (status >= 500) request.log.error({ err: error }, 'request failed');
  if (error instanceof Problem && error.details.headers) response.set({ ...error.details.headers });
  response.status(status).json({ code: status, error: message });
};

function translate(error: unknown): ScrobbleError {
  if (error instanceof ScrobbleError) return error;
  if (error instanceof Problem) {
    const { status, title } = problems[error.code];
    return new ScrobbleError(status, error.details.detail ?? title);
  }
  const fault = clientFault(error);
  if (fault)
    return new ScrobbleError(
      400,
      fault.status === 413 ? 'Payload too large.' : `Cannot read the request: ${fault.message}`,
    );
  return new ScrobbleError(500, 'Something went wrong. Please try again.');
}
