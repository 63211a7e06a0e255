/** Every error of the API: its stable code, its HTTP status, and its meaning. */
export const problems = {
  invalid_request: { status: 400, title: 'The request has fields that cannot be used' },
  invalid_json: { status: 400, title: 'The body cannot be read as JSON' },
  unauthorized: { status: 401, title: 'A bearer token is needed' },
  unknown_route: { status: 404, title: 'There is nothing at this address' },
  unknown_track: { status: 404, title: 'No such track' },
  unknown_week: { status: 404, title: 'No trending tracks for this week' },
  unknown_user: { status: 404, title: 'No such listener' },
  nothing_measured: { status: 404, title: 'Outcomes of recommendations have not been measured yet' },
  unknown_model: { status: 404, title: 'No such model was ever published' },
  unknown_run: { status: 404, title: 'No such run' },
  nothing_to_decide: { status: 404, title: 'No weekly file of that name waits for a decision' },
  method_not_allowed: { status: 405, title: 'This address does not take that method' },
  decision_refused: { status: 409, title: 'That decision cannot be taken about this file' },
  rollback_refused: { status: 409, title: 'The snapshot of that model cannot be served' },
  body_too_large: { status: 413, title: 'The body is too large' },
  too_many_requests: { status: 429, title: 'Too many requests from this address' },
  too_many_streams: { status: 429, title: 'Too many event streams from this address' },
  internal_error: { status: 500, title: 'Something broke here; the log has the request id' },
  nothing_published: { status: 503, title: 'No recommendations have been published yet' },
  kafka_away: { status: 503, title: 'Kafka did not take the events; send them again' },
  temporal_away: { status: 503, title: 'Temporal cannot be reached, or no worker answers' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ProblemCode = keyof typeof problems;

/** A bad field: its place and the reason. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** The further fields of a problem answer. */
export interface ProblemDetails {
  readonly detail?: string;
  readonly errors?: readonly FieldProblem[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error that the error middleware answers as application/problem+json (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(details.detail ?? problems[code].title, { cause: details.cause });
    this.code = code;
    this.details = details;
  }
}

/**
 * The description of an error in the request that Express or a parser has found. They mark such errors with a status of
 * 4xx and `expose`. Undefined for an error of our own.
 */
export function clientFault(error: unknown): { readonly status: number; readonly message: string } | undefined {
  if (error instanceof URIError) return { status: 400, message: 'The address is not valid percent-encoding' };
  if (!(error instanceof Error) || !('expose' in error && 'status' in error)) return undefined;
  const { expose, status, message } = error;
  return expose === true && typeof status === 'number' ? { status, message } : undefined;
}
