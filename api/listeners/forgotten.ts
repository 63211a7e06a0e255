import { forgottenHashes, hashOfUser } from '../../platform/forgotten-users.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';

const pollMs = 5_000;

/** What remembers users, and can drop those of whom it is true. */
export interface UserMemory {
  forgetWhere(isForgotten: (userId: string) => boolean): void;
}

/**
 * Who was forgotten, by hash, looked up in the store now and then. From then on this process knows nothing of them: neither
 * from the snapshot nor from what comes in.
 */
export class ForgottenUsers {
  readonly #store: ObjectStore;
  readonly #logger: Logger;
  #hashes: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;

  constructor({ store, logger }: { readonly store: ObjectStore; readonly logger: Logger }) {
    this.#store = store;
    this.#logger = logger;
  }

  readonly has = (userId: string): boolean => this.#hashes.size > 0 && this.#hashes.has(hashOfUser(userId));

  /** Looks now and every few seconds; drops from the memories who is new on the list. */
  start(...memories: readonly UserMemory[]): void {
    const look = async (): Promise<void> => {
      await this.look(...memories);
      this.#timer = setTimeout(() => void look(), pollMs).unref();
    };
    void look();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async look(...memories: readonly UserMemory[]): Promise<void> {
    try {
      const hashes = await forgottenHashes(this.#store);
      const isNew = [...hashes].some((hash) => !this.#hashes.has(hash));
      this.#hashes = hashes;
      if (isNew) for (const memory of memories) memory.forgetWhere(this.has);
    } catch (error) {
      // Who is on the list already stays on it; the store is asked again in a moment.
      this.#logger.warn({ err: error }, 'the list of forgotten users cannot be read; trying again');
    }
  }
}
