import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { onAbort } from '../../base/abort.js';
import { messageOf, StandstillError } from '../../base/errors.js';
import type { ModuleTarget } from '../options.js';
import type { Asker } from './ask.js';
import type { ModuleReply, ModuleRequest } from './module-messages.js';

const WORKER_PATH = fileURLToPath(new URL('module-worker.js', import.meta.url));

/** Loads the module in its worker. Rejects with ERR_PROBE_INVALID where it has no function to call. */
export async function moduleAsker({ module, options }: ModuleTarget): Promise<Asker> {
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
  const [first] = await Promise.race([once(worker, 'message'), channel.ended]);
  if (first.error === null) return channel;
  await channel.close();
  throw new StandstillError('ERR_PROBE_INVALID', `Expected a probe's module at ${url} but ${first.error}`);
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
    worker.unref();
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
    using _abort = onAbort(signal, () => this.#post({ ask, cancel: true }));
    try {
      const error = await new Promise<string | null>((resolve) => {
        this.#waiting.set(ask, resolve);
        this.#post({ ask, cancel: false });
      });
      if (error !== null) throw new Error(error);
    } finally {
      this.#waiting.delete(ask);
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(request: ModuleRequest): void {
    this.#worker.postMessage(request);
  }
}
