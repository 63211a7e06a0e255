import type { WantedPort } from '../supervisor/ports.ts';

/** The parts of the embedded stack. */
export const serviceNames = ['temporal', 'minio', 'kafka', 'spark', 'worker', 'api'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** How to run a service's process. Secrets go by environment or file, never by argument. */
export interface ServiceCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to a copy of the supervisor's own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of that environment which are none of its business, by name. */
  readonly withoutEnv?: RegExp;
  readonly cwd: string;
}

/** A service: its start, its probe and its set-up. */
export interface ServiceDefinition {
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Services that must be healthy before this service starts, and that stop after it. */
  readonly needs: readonly string[];
  readonly ports: readonly WantedPort[];
  /** Where people find it; undefined when it has no page. */
  readonly url?: string;
  readonly command: ServiceCommand;
  /**
   * Further inputs of the service (settings files, code). After a change, the supervisor does not adopt a running
   * process.
   */
  readonly fingerprint?: string;
  /** Runs before every start; safe to repeat. */
  readonly prepare?: () => Promise<void>;
  /** Resolves when the service works, rejects with the reason when it does not (yet). */
  readonly probe: () => Promise<void>;
  /** Runs once the service is healthy, after every start and adoption; safe to repeat. */
  readonly provision?: () => Promise<void>;
  /** How long it may take until it is healthy. */
  readonly startTimeoutMs: number;
  /** How long it may take to end by itself after SIGTERM. */
  readonly stopTimeoutMs: number;
}
