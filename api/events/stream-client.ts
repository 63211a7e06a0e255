import type { Response } from 'express';
import { isOfUser, type StreamEvent, type StreamPart } from './hub.ts';
import type { StreamType } from './position.ts';

/**
 * The most bytes that may wait for a slow client. Beyond this limit the API closes the stream, and the client may
 * return with its last id. Two posts of a thousand listens each take 1 MiB. All clients share the serialised text of an
 * event.
 */
export const mostWaitingBytes = 4 * 1024 * 1024;

/** The filter of a client: kinds of events, and a single user. */
export interface StreamFilter {
  readonly types: readonly StreamType[];
  readonly user: string | undefined;
}

/** A client of the stream: its connection and the bytes that wait for it. */
export class StreamClient {
  /** Whether it is told of everything from now on; before, it is being caught up. */
  isWatching = false;
  readonly #res: Response;
  readonly #filter: StreamFilter;
  readonly #filterName: string;

  constructor(res: Response, filter: StreamFilter) {
    this.#res = res;
    this.#filter = filter;
    this.#filterName = `${filter.types.toSorted().join(',')} ${filter.user ?? ''}`;
  }

  get isGone(): boolean {
    return this.#res.destroyed || this.#res.writableEnded;
  }

  /** Whether more waits for it than may wait. */
  get isTooSlow(): boolean {
    return this.#res.writableLength > mostWaitingBytes;
  }

  /** Sends text that is serialised already. */
  say(text: string): void {
    if (!this.isGone) this.#res.write(text);
  }

  /** Sends the events it wants of a part, and up to where it has read. */
  tell(part: StreamPart): void {
    if (this.isGone) return;
    const written = part.write(this.#filterName, (event) => this.#wants(event));
    if (written) this.#res.write(written);
  }

  /** Sends events of the past at the pace the client reads. */
  async tellPast(events: readonly StreamEvent[], mark = ''): Promise<void> {
    this.say(this.#wanted(events) + mark);
    if (this.isGone || !this.#res.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#res.off('drain', go).off('close', go);
        resolve();
      };
      this.#res.on('drain', go).on('close', go);
    });
  }

  drop(): void {
    this.#res.destroy();
  }

  #wanted(events: readonly StreamEvent[]): string {
    return events.flatMap((event) => (this.#wants(event) ? event.block : [])).join('');
  }

  #wants(event: StreamEvent): boolean {
    const { types, user } = this.#filter;
    return types.includes(event.type) && (user === undefined || isOfUser(event, (userId) => userId === user));
  }
}
