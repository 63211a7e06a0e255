const emptySlot = 0n;
const fullest = 0.6;

/**
 * A set of 64-bit hashes, with eight bytes per hash and some spare room: twenty million listens take about 270 MB. Two
 * different listens with the same hash would count as a single listen. Among twenty million listens the chance of such
 * a pair is about 1 in 100,000.
 */
export class SeenHashes {
  #slots = new BigUint64Array(1 << 16);
  #count = 0;

  /** Adds a hash; answers whether it was new. */
  add(hash: bigint): boolean {
    const value = hash === emptySlot ? 1n : hash;
    const slot = find(this.#slots, value);
    if (this.#slots[slot] === value) return false;
    this.#slots[slot] = value;
    if (++this.#count > this.#slots.length * fullest) this.#grow();
    return true;
  }

  #grow(): void {
    const larger = new BigUint64Array(this.#slots.length * 2);
    for (const value of this.#slots) if (value !== emptySlot) larger[find(larger, value)] = value;
    this.#slots = larger;
  }
}

/** The slot of the value, or the empty slot where it belongs. */
function find(slots: BigUint64Array, value: bigint): number {
  const mask = slots.length - 1;
  let slot = Number(value & BigInt(mask));
  while (slots[slot] !== emptySlot && slots[slot] !== value) slot = (slot + 1) & mask;
  return slot;
}
