import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The error for bad settings. It lists all problems at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings of a process from its environment. A secret `X` may come as `X_FILE`, the path of a file with the
 * secret. An empty variable counts as not set. Throws a ConfigError that lists every problem.
 */
export function readConfig<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.infer<Schema> {
  const parsed = schema.safeParse(withSecretFiles(env));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || '(settings)'}: ${issue.message}`);
  throw new ConfigError(`Settings that cannot be used (environment variables):\n${problems.join('\n')}`);
}

function withSecretFiles(env: NodeJS.ProcessEnv): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    values[name] = value;
    const secret = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : undefined;
    if (secret?.startsWith('SEGUE_') && !env[secret]) values[secret] = readSecret(name, value);
  }
  return values;
}

function readSecret(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`${variable} names ${path}, which cannot be read; make the file or set the secret itself`, {
      cause,
    });
  }
}

/** 'true'/'1'/'yes' and 'false'/'0'/'no'; anything else is a problem, never silently false. */
export const flag = z
  .enum(['true', '1', 'yes', 'false', '0', 'no'])
  .transform((value) => value === 'true' || value === '1' || value === 'yes');

/** A TCP port. */
export const port = z.coerce.number().int().min(1).max(65535);

/** The address of an S3 store and the credentials for it. */
export const objectStoreSettings = {
  SEGUE_S3_ENDPOINT: z.url().default('http://127.0.0.1:9000'),
  SEGUE_S3_REGION: z.string().default('us-east-1'),
  SEGUE_S3_ACCESS_KEY: z.string(),
  SEGUE_S3_SECRET_KEY: z.string(),
};

/** How much a process says. */
export const logSettings = {
  SEGUE_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
};
