import { z } from 'zod';
import { Problem, type FieldProblem } from './problems.ts';

/** Parses the client's input. Throws a Problem that lists every bad field. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new Problem('invalid_request', { errors: parsed.error.issues.map(toFieldProblem) });
}

function toFieldProblem(issue: z.core.$ZodIssue): FieldProblem {
  return { field: issue.path.join('.') || '(body)', message: issue.message };
}
