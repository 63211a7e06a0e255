import { pino, type Logger } from 'pino';

export type { Logger };

/** A JSON logger for a process. It removes secrets that reach a log line by mistake. */
export function createLogger(options: { readonly name: string; readonly level: string }): Logger {
  return pino({
    name: options.name,
    level: options.level,
    redact: {
      paths: ['req.headers.authorization', '*.authorization', '*.secretKey', '*.accessKey', '*.token'],
      censor: '[redacted]',
    },
  });
}
