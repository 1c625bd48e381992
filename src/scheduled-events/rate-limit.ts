const WINDOW_MS = 1000;

/** Admits so many requests in any second; 0: all. */
export class RateLimit {
  readonly #perSecond: number;
  /** When the last ones were admitted, as a ring. */
  readonly #admittedAtMs: number[] = [];
  #next = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** `nowMs` never falls. */
  admits(nowMs: number): boolean {
    if (this.#perSecond === 0) return true;
    const oldest = this.#admittedAtMs[this.#next];
    if (oldest !== undefined && nowMs - oldest < WINDOW_MS) return false;
    this.#admittedAtMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#perSecond;
    return true;
  }
}
