import { lake } from '../../contracts/lake.ts';
import { snapshotPointer } from '../../contracts/schemas/snapshot.ts';
import type { Logger } from '../../platform/logger.ts';
import { loadSnapshot, type SnapshotSource } from './load.ts';
import type { Snapshot } from './snapshot.ts';

/** The dependencies of the snapshot store, and its listeners. */
export interface SnapshotStoreDeps {
  readonly store: SnapshotSource;
  readonly logger: Logger;
  readonly pollMs: number;
  readonly onLoaded?: (snapshot: Snapshot) => void;
  readonly onRefused?: () => void;
}

/** The store did not answer, which says nothing about a snapshot. */
class StoreAway extends Error {
  override readonly name = 'StoreAway';
}

/**
 * Holds the served snapshot and replaces it as a whole after the pointer has moved. The store never serves a broken
 * snapshot.
 */
export class SnapshotStore {
  readonly #deps: SnapshotStoreDeps;
  readonly #source: SnapshotSource;
  #isStoreAway = false;
  #current: Snapshot | undefined;
  #etag: string | undefined;
  #manifestSha256: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;

  constructor(deps: SnapshotStoreDeps) {
    this.#deps = deps;
    this.#source = tellingAway(deps.store);
  }

  /** The served snapshot. Undefined before the first publication. */
  get current(): Snapshot | undefined {
    return this.#current;
  }

  /** Looks at the pointer once. Concurrent calls share the same look. */
  start(): void {
    const again = (): void => {
      this.#timer = setTimeout(() => void this.check().finally(again), this.#deps.pollMs);
    };
    void this.check().finally(again);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Looks at the pointer once. Concurrent calls share this look. */
  check(): Promise<void> {
    this.#checking ??= this.#look().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #look(): Promise<void> {
    const { logger, onLoaded, onRefused } = this.#deps;
    try {
      const snapshot = await this.#loadIfMoved();
      this.#noteStore();
      if (!snapshot) return;
      this.#current = snapshot;
      logger.info({ modelVersion: snapshot.manifest.modelVersion, users: snapshot.users }, 'snapshot is served');
      onLoaded?.(snapshot);
    } catch (error) {
      // The previous snapshot stays in service, and the next look tries again.
      this.#noteStore(error);
      if (error instanceof StoreAway) return;
      logger.error({ err: error }, 'snapshot was refused; the one before stays');
      onRefused?.();
    }
  }

  /** Tells when the store goes and when it is back; not at every look between, for there are many. */
  #noteStore(error?: unknown): void {
    const { logger } = this.#deps;
    const isAway = error instanceof StoreAway;
    if (isAway === this.#isStoreAway) return;
    this.#isStoreAway = isAway;
    if (isAway) logger.warn({ err: error.cause }, 'the store of snapshots cannot be reached; what is served stays');
    else logger.info('the store of snapshots answers again');
  }

  async #loadIfMoved(): Promise<Snapshot | undefined> {
    const object = await this.#source.get(lake.buckets.serving, lake.prefixes.pointer);
    if (!object || object.etag === this.#etag) return undefined;
    const pointer = snapshotPointer.parse(JSON.parse(object.body.toString('utf8')));
    // The pointer may say more of the same snapshot, for instance that a newer model was refused.
    const isServed = pointer.manifestSha256 === this.#manifestSha256;
    const snapshot = isServed ? undefined : await loadSnapshot(this.#source, pointer);
    this.#etag = object.etag;
    this.#manifestSha256 = pointer.manifestSha256;
    return snapshot;
  }
}

/** The failures of the object store, as opposed to errors in the content. */
function tellingAway(store: SnapshotSource): SnapshotSource {
  return {
    get: async (bucket, key) => {
      try {
        return await store.get(bucket, key);
      } catch (cause) {
        throw new StoreAway(`${bucket}/${key} cannot be read`, { cause });
      }
    },
  };
}
