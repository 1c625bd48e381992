/** Time as the events' store sees it; tests bring their own. */
export interface EventClock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Calls `action` once so many milliseconds have passed, never before; disposing takes it back. */
  after(delayMs: number, action: () => void): Disposable;
}

export const systemClock: EventClock = {
  nowMs: () => Date.now(),
  after: (delayMs, action) => {
    // Node counts whole milliseconds, and may come up to one of them early.
    const timer = setTimeout(action, Math.ceil(delayMs) + 1);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
