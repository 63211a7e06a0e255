import { lake } from '../../contracts/lake.ts';
import { snapshotPointer } from '../../contracts/schemas/snapshot.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { loadSnapshot } from './load.ts';
import type { Snapshot } from './snapshot.ts';

/** What the snapshot store needs, and whom it tells. */
export interface SnapshotStoreDeps {
  readonly store: ObjectStore;
  readonly logger: Logger;
  readonly pollMs: number;
  readonly onLoaded?: (snapshot: Snapshot) => void;
  readonly onRefused?: () => void;
}

/** Holds the snapshot that is served, and swaps it whole when the pointer has moved; a broken one is never served. */
export class SnapshotStore {
  readonly #deps: SnapshotStoreDeps;
  #current: Snapshot | undefined;
  #etag: string | undefined;
  #manifestSha256: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;

  constructor(deps: SnapshotStoreDeps) {
    this.#deps = deps;
  }

  /** What is served now; undefined before the first publication. */
  get current(): Snapshot | undefined {
    return this.#current;
  }

  /** Looks at the pointer now and then, until stopped. */
  start(): void {
    const again = (): void => {
      this.#timer = setTimeout(() => void this.check().finally(again), this.#deps.pollMs);
    };
    void this.check().finally(again);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Looks at the pointer once; calls made meanwhile wait for the same look. */
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
      if (!snapshot) return;
      this.#current = snapshot;
      logger.info({ modelVersion: snapshot.manifest.modelVersion, users: snapshot.users }, 'snapshot is served');
      onLoaded?.(snapshot);
    } catch (error) {
      // The one before stays in service; the next look tries again.
      logger.error({ err: error }, 'snapshot was refused; the one before stays');
      onRefused?.();
    }
  }

  async #loadIfMoved(): Promise<Snapshot | undefined> {
    const { store } = this.#deps;
    const object = await store.get(lake.buckets.serving, lake.prefixes.pointer);
    if (!object || object.etag === this.#etag) return undefined;
    const pointer = snapshotPointer.parse(JSON.parse(object.body.toString('utf8')));
    // The pointer may say more of the same snapshot, for instance that a newer model was refused.
    const isServed = pointer.manifestSha256 === this.#manifestSha256;
    const snapshot = isServed ? undefined : await loadSnapshot(store, pointer);
    this.#etag = object.etag;
    this.#manifestSha256 = pointer.manifestSha256;
    return snapshot;
  }
}
