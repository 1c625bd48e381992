/** CLOCK_MONOTONIC in nanoseconds: the clock of the engine's stamps, so that the two can be subtracted. */
export const monotonicNs = (): bigint => process.hrtime.bigint();

export const sleepMs = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));
