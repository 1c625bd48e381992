import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogTail } from './log-tail.js';
import type { Readiness } from './options.js';

const PROBE_INTERVAL_MS = 25;
const PROBE_TIMEOUT_MS = 2000;

/** Resolves when the guest is ready; rejects with the signal's reason. */
export async function untilReady(ready: Readiness, log: LogTail, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if ('line' in ready) return await untilLine(ready.line, log, signal);
  const probe = 'port' in ready ? () => accepts(ready.port, ready.host ?? '127.0.0.1') : () => answers(ready.http);
  while (!(await probe())) {
    signal.throwIfAborted();
    await sleep(PROBE_INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: PROBE_TIMEOUT_MS });
    const end = (isAccepted: boolean) => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.status < 400;
  } catch {
    return false;
  }
}

function untilLine(wanted: string | RegExp, log: LogTail, signal: AbortSignal): Promise<void> {
  const matches = (text: string) =>
    typeof wanted === 'string'
      ? text.includes(wanted)
      : new RegExp(wanted, wanted.flags.replace(/[gy]/g, '')).test(text);
  return new Promise((resolve, reject) => {
    if (log.last(Number.POSITIVE_INFINITY).some(({ text }) => matches(text))) return resolve();
    const listener = log.onLine(({ text }) => {
      if (!matches(text)) return;
      listener[Symbol.dispose]();
      resolve();
    });
    signal.addEventListener(
      'abort',
      () => {
        listener[Symbol.dispose]();
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
