const MASK_64 = (1n << 64n) - 1n;

/** splitmix64: a small seeded generator whose every output depends on the seed alone. */
export class Prng {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed & MASK_64;
  }

  nextUint64(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK_64;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK_64;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK_64;
    return z ^ (z >> 31n);
  }

  /** Uniform in [0, 1), with 53 bits. */
  nextFraction(): number {
    return Number(this.nextUint64() >> 11n) / 2 ** 53;
  }

  /** Uniform whole number in [0, bound). */
  nextBelow(bound: number): number {
    return Math.floor(this.nextFraction() * bound);
  }
}
