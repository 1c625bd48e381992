import { readFileSync } from 'node:fs';
import { StandstillError } from '../base/errors.js';
import { formatBytes, KIB } from '../base/units.js';

const WATCH_INTERVAL_MS = 20;

/**
 * Watches what this process keeps resident outside of files and guest RAM (RssAnon), and calls `onExceeded` once when it
 * has grown by more than `limitBytes` since the call. All threads share it, so it bounds what buffers a patch may fill.
 */
export function watchResidentMemory(limitBytes: number, onExceeded: (error: StandstillError) => void): Disposable {
  const startBytes = residentAnonymousBytes();
  const timer = setInterval(() => {
    const grownBytes = residentAnonymousBytes() - startBytes;
    if (grownBytes <= limitBytes) return;
    clearInterval(timer);
    const message = `Expected at most ${formatBytes(limitBytes)} of resident memory but it grew by ${formatBytes(grownBytes)}`;
    onExceeded(new StandstillError('ERR_PATCH_MEMORY', message));
  }, WATCH_INTERVAL_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function residentAnonymousBytes(): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(match?.[1] ?? 0) * KIB;
}
