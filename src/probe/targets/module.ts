import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { orAborted } from '../../base/abort.js';
import { messageOf, StandstillError } from '../../base/errors.js';
import type { ModuleTarget } from '../options.js';
import type { Asker } from './ask.js';
import type { ModuleReply, ModuleRequest } from './module-messages.js';

const WORKER_PATH = fileURLToPath(new URL('module-worker.js', import.meta.url));

const LOAD_MS_MAX = 10_000;

/**
 * Loads the module in its worker. Rejects with ERR_PROBE_INVALID where it has no function to call, and with the signal's
 * reason.
 */
export async function moduleAsker({ module, options }: ModuleTarget, cut: AbortSignal): Promise<Asker> {
  const url =
    module instanceof URL || module.startsWith('file:') ? String(module) : pathToFileURL(resolve(module)).href;
  let worker: Worker;
  try {
    // Standard output belongs to the program that uses the library.
    worker = new Worker(WORKER_PATH, { workerData: { url, options }, stdout: true });
  } catch (cause) {
    throw new StandstillError('ERR_PROBE_INVALID', `Expected options that can be cloned but: ${messageOf(cause)}`, {
      cause,
    });
  }
  worker.stdout.pipe(process.stderr, { end: false });
  const channel = new ModuleChannel(worker);
  const error = await loaded(worker, channel, cut);
  if (error === null) return channel;
  await channel.close();
  cut.throwIfAborted();
  throw new StandstillError('ERR_PROBE_INVALID', `Expected a probe's module at ${url} but ${error}`);
}

/** What is wrong with it; null where nothing is. */
async function loaded(worker: Worker, channel: ModuleChannel, cut: AbortSignal): Promise<string | null> {
  const first = Promise.race([once(worker, 'message'), channel.ended]);
  try {
    const [{ error }] = await orAborted(first, AbortSignal.any([cut, AbortSignal.timeout(LOAD_MS_MAX)]));
    return error;
  } catch {
    return `it has not loaded within ${LOAD_MS_MAX} ms`;
  }
}

/** Requests to the worker and their replies, by number. */
class ModuleChannel implements Asker {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (error: string | null) => void>();
  /** Resolves with what the end of the worker means for whoever waits. */
  readonly ended: Promise<[ModuleReply]>;
  #asked = 0;
  #end: string | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', ({ ask, error }: ModuleReply) => this.#waiting.get(ask)?.(error));
    this.ended = new Promise((resolve) => {
      const end = (error: string) => {
        this.#end ??= error;
        resolve([{ ask: 0, error: this.#end }]);
        for (const answer of this.#waiting.values()) answer(this.#end);
      };
      worker.once('error', (error) => end(`its thread failed: ${messageOf(error)}`));
      worker.once('exit', (code) => end(`its thread ended with code ${code}`));
    });
  }

  async ask(signal: AbortSignal): Promise<void> {
    if (this.#end !== undefined) throw new Error(this.#end);
    this.#asked += 1;
    const ask = this.#asked;
    const answer = new Promise<string | null>((resolve) => this.#waiting.set(ask, resolve));
    this.#post({ ask, cancel: false });
    try {
      const error = await orAborted(answer, signal);
      if (error !== null) throw new Error(error);
    } finally {
      this.#waiting.delete(ask);
      if (signal.aborted) this.#post({ ask, cancel: true });
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(request: ModuleRequest): void {
    this.#worker.postMessage(request);
  }
}
