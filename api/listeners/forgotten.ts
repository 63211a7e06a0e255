import { forgottenHashes, hashOfUser } from '../../platform/forgotten-users.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';

const pollMs = 5_000;

/** A memory of users that can drop the users for whom a predicate is true. */
export interface UserMemory {
  forgetWhere(isForgotten: (userId: string) => boolean): void;
}

/**
 * The forgotten users, by hash. The process looks them up in the store at intervals. After that it knows nothing of
 * these users, neither from the snapshot nor from new events.
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

  /** Looks now and every few seconds. Drops users that are new on the list from the memories. */
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
      // Users on the list stay on it, and the next look asks the store again.
      this.#logger.warn({ err: error }, 'the list of forgotten users cannot be read; trying again');
    }
  }
}
