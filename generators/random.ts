/** A seeded stream of random numbers; equal seeds give equal streams on every machine. */
export interface Random {
  /** At least 0, less than 1. */
  next(): number;
  /** A whole number, at least 0 and less than `limit`. */
  below(limit: number): number;
  /** Normally distributed, mean 0, deviation 1. */
  normal(): number;
}

/** The random stream of a seed for a purpose. `purpose` separates the streams of the same seed. */
export function createRandom(seed: number, purpose: string): Random {
  let state = hash(seed, purpose);
  // Mulberry32: a mixed counter. Its period of 2^32 is enough for each purpose here.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    // Box and Muller, 1958.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** FNV-1a over the purpose, mixed with the seed. */
function hash(seed: number, purpose: string): number {
  let value = 0x811c9dc5 ^ seed;
  for (let index = 0; index < purpose.length; index++) {
    value = Math.imul(value ^ purpose.charCodeAt(index), 0x01000193);
  }
  return value | 0;
}

/** Draws indexes in proportion to weights, by binary search in the running sums. */
export class WeightedChoice {
  readonly #sums: Float64Array;

  constructor(weights: ArrayLike<number>) {
    this.#sums = new Float64Array(weights.length);
    let sum = 0;
    for (let index = 0; index < weights.length; index++) this.#sums[index] = sum += weights[index]!;
  }

  get total(): number {
    return this.#sums.at(-1) ?? 0;
  }

  /** An index; the weights must not all be zero. */
  draw(random: Random): number {
    const target = random.next() * this.total;
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
