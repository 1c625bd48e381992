import { onAbort } from '../base/abort.js';
import { isStandstillError, StandstillError } from '../base/errors.js';
import type { ProgressOptions } from '../base/progress.js';
import { addon } from './addon.js';
import type { NativeProgress } from './contract.js';

const INTERVAL_MS = 100;

/** Does work on the engine's pool, reports how far it is, and cancels it where the signal aborts. */
export async function watched<T>(
  { signal, onProgress }: ProgressOptions,
  what: string,
  work: (progress: NativeProgress) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw aborted(what, signal);
  const progress = addon.createProgress();
  const report = () => onProgress?.({ done: progress.done(), total: progress.total() });
  const timer = onProgress === undefined ? undefined : setInterval(report, INTERVAL_MS).unref();
  using _listener = signal === undefined ? undefined : onAbort(signal, () => progress.cancel());
  try {
    const result = await work(progress);
    report();
    return result;
  } catch (error) {
    throw signal?.aborted && isStandstillError(error, 'ERR_ABORTED') ? aborted(what, signal) : error;
  } finally {
    clearInterval(timer);
  }
}

const aborted = (what: string, signal: AbortSignal) =>
  new StandstillError('ERR_ABORTED', `The ${what} was aborted`, { cause: signal.reason });
