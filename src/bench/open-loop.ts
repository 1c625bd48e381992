import { setTimeout as sleep } from 'node:timers/promises';
import { StandstillError } from '../base/errors.js';
import type { Series } from './series.js';

const IN_FLIGHT_MAX = 10_000;
/** Timers are this late at most on a quiet machine; the rest is waited for without one. */
const TIMER_MARGIN_MS = 2;

export interface OpenLoopPlan {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks for an operation at a fixed rate, whether or not the ones before have ended, and records for each the time from
 * when it was due until it ended. So a service that stands still for a second has all the requests of that second in its
 * percentiles, and not the one that was under way: there is no coordinated omission. Resolves when all have ended; rejects
 * with the first error of one, with ERR_BUSY where 10,000 are under way, and with ERR_ABORTED.
 */
export async function openLoop(plan: OpenLoopPlan, series: Series, operation: () => Promise<unknown>): Promise<void> {
  const { ratePerSecond, durationMs, signal } = plan;
  const count = Math.floor((ratePerSecond * durationMs) / 1000);
  const fromMs = performance.now();
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for (let i = 0; i < count && failure === undefined; i++) {
    const dueMs = fromMs + (i * 1000) / ratePerSecond;
    await until(dueMs);
    if (signal.aborted) throw new StandstillError('ERR_ABORTED', 'The benchmark was aborted', { cause: signal.reason });
    if (underWay.size >= IN_FLIGHT_MAX) {
      const received = `${underWay.size} that have not ended`;
      throw new StandstillError(
        'ERR_BUSY',
        `Expected an operation that keeps up with its rate but received ${received}`,
      );
    }
    const one = operation().then(
      () => series.record((performance.now() - dueMs) * 1e6),
      (error: unknown) => {
        failure ??= { error };
      },
    );
    underWay.add(one);
    void one.finally(() => underWay.delete(one));
  }
  await Promise.all(underWay);
  if (failure !== undefined) throw failure.error;
}

async function until(atMs: number): Promise<void> {
  const leftMs = atMs - performance.now();
  if (leftMs > TIMER_MARGIN_MS) await sleep(leftMs - TIMER_MARGIN_MS);
  // Other work of the event loop goes on meanwhile.
  while (performance.now() < atMs) await new Promise((resolve) => setImmediate(resolve));
}
