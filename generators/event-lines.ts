import { eventTypes } from '../contracts/acceptance/rules.ts';
import { dateOf } from './calendar.ts';
import type { ListenGenerator } from './listens.ts';
import type { World } from './world.ts';

const encoder = new TextEncoder();
const lineRoom = 128;
const zero = 0x30;

/**
 * The listens of a day as CSV lines: event_id,user_id,track_id,event_type,timestamp. An event id is the day and a
 * number within the day (20241231-000042), so two events of a world never share an id. The code assembles bytes
 * directly, because five million strings would take most of the time. The next call reuses the buffer.
 */
export class EventLines {
  readonly #generator: ListenGenerator;
  readonly #users: readonly Uint8Array[];
  readonly #songs: readonly Uint8Array[];
  readonly #types: readonly Uint8Array[];
  readonly #buffer: Uint8Array;

  constructor(world: World, generator: ListenGenerator) {
    this.#generator = generator;
    this.#users = world.users.map((user) => encoder.encode(`,${user.id},`));
    this.#songs = world.songs.map((song) => encoder.encode(song.id));
    this.#types = eventTypes.map((type) => encoder.encode(`,${type},`));
    this.#buffer = new Uint8Array(world.options.eventsPerDay * lineRoom);
  }

  /** All lines of a day. */
  day(day: number): Uint8Array {
    const date = dateOf(day);
    const idPrefix = encoder.encode(`${date.replaceAll('-', '')}-`);
    const timePrefix = encoder.encode(`${date}T`);
    const buffer = this.#buffer;
    let at = 0;
    let number = 0;
    const put = (bytes: Uint8Array): void => {
      for (let index = 0; index < bytes.length; index++) buffer[at++] = bytes[index]!;
    };
    const putTwo = (value: number, after: number): void => {
      buffer[at++] = zero + Math.floor(value / 10);
      buffer[at++] = zero + (value % 10);
      buffer[at++] = after;
    };
    this.#generator.day(day, (user, song, second, type) => {
      put(idPrefix);
      at = putNumber(buffer, at, ++number);
      put(this.#users[user]!);
      put(this.#songs[song]!);
      put(this.#types[type]!);
      put(timePrefix);
      putTwo(Math.floor(second / 3600), 0x3a);
      putTwo(Math.floor(second / 60) % 60, 0x3a);
      putTwo(second % 60, 0x5a);
      buffer[at++] = 0x0a;
    });
    return buffer.subarray(0, at);
  }
}

/** Writes a number with at least six digits; answers where the next byte goes. */
function putNumber(buffer: Uint8Array, start: number, value: number): number {
  let digits = 6;
  for (let limit = 1_000_000; value >= limit; limit *= 10) digits++;
  let rest = value;
  for (let index = start + digits - 1; index >= start; index--) {
    buffer[index] = zero + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return start + digits;
}
