import type { StackSettings } from '../config.ts';
import type { Installed } from '../install/index.ts';
import type { SecretFiles } from '../secrets.ts';

/** The input for a service's definition. */
export interface ServiceContext {
  readonly settings: StackSettings;
  readonly installed: Installed;
  readonly secrets: SecretFiles;
  /** The environment by which the worker and the API reach the stack. */
  readonly env: Readonly<Record<string, string>>;
}
