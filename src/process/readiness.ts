import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StandstillError } from '../base/errors.js';
import type { ProcessGuest } from './guest.js';
import { listensAt } from './listening.js';
import type { LogTail } from './log-tail.js';
import { type ParsedProcessVmOptions, type Readiness, urlFromHost } from './options.js';

const PROBE_INTERVAL_MS = 25;
const PROBE_TIMEOUT_MS = 2000;

/**
 * Resolves when a guest that has been started is ready. Rejects with ERR_PROCESS_NOT_READY, ERR_PROCESS_ENDED (with the
 * end of its output) where it has ended and is not started again, ERR_VM_CLOSED, ERR_ABORTED.
 */
export async function untilReady(
  guest: ProcessGuest,
  options: Pick<ParsedProcessVmOptions, 'ready' | 'readyTimeoutMs' | 'network'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { ready, readyTimeoutMs, network } = options;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(notReady(guest, readyTimeoutMs)), readyTimeoutMs);
  const onAbort = () => stop.abort(new StandstillError('ERR_ABORTED', 'The wait for a guest was aborted'));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  // One that was started again, as its option says, is waited for.
  const stopIfEnded = () => {
    if (guest.look()?.life !== 'alive') stop.abort(undefined);
  };
  using _ended = guest.onEvent(({ event }) => {
    if (event === 'gone' || event === 'lost') stopIfEnded();
  });
  try {
    stopIfEnded();
    if (ready !== undefined) await untilSign(ready, guest, network === 'own', stop.signal);
    stop.signal.throwIfAborted();
  } catch (error) {
    throw stop.signal.reason instanceof StandstillError ? stop.signal.reason : await endedOr(guest, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function notReady(guest: ProcessGuest, readyTimeoutMs: number): StandstillError {
  const message = `Expected VM '${guest.name}' to be ready within ${readyTimeoutMs} ms but it is not${guest.tail()}`;
  return new StandstillError('ERR_PROCESS_NOT_READY', message);
}

async function endedOr(guest: ProcessGuest, error: unknown): Promise<unknown> {
  await guest.outputArrived();
  const reply = guest.reply();
  return reply.life === 'ended' ? guest.endedError(reply) : error;
}

/** Rejects with the signal's reason. */
async function untilSign(ready: Readiness, guest: ProcessGuest, isOwn: boolean, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if ('line' in ready) return await untilLine(ready.line, guest.log, signal);
  const probe = isOwn ? ownProbe(ready, guest) : hostProbe(ready);
  while (!(await probe())) {
    signal.throwIfAborted();
    await sleep(PROBE_INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

type Probed = Exclude<Readiness, { line: unknown }>;

const hostProbe = (ready: Probed): (() => Promise<boolean>) =>
  'port' in ready ? () => accepts(ready.port, ready.host ?? '127.0.0.1') : () => answers(ready.http);

/** Nobody outside can connect to the guest's own network but at a published port, where the relay accepts in any case. */
const ownProbe = (ready: Probed, guest: ProcessGuest): (() => Promise<boolean>) =>
  'port' in ready
    ? async () => listensAt(guest.members().pids, ready.port)
    : () => answers(urlFromHost(ready.http, guest.publishedPorts));

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
    if (log.sinceStart().some(({ text }) => matches(text))) return resolve();
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
