import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { StandstillError } from '../base/errors.js';
import { MIB } from '../base/units.js';
import type { PatchProgress } from './patch-module.js';
import type { PatchSource } from './patch-source.js';
import { hasEnded, runTask, type TaskControl, type TaskEnd } from './patch-task.js';

const WORKER_PATH = fileURLToPath(new URL('./patch-worker.js', import.meta.url));
/** Worker threads that may be lost to patches blocked in native code before a host refuses to patch. */
const SLOTS = 4;
const LOAD_TIMEOUT_MS = 10_000;

export interface PatchLimits {
  /** Of the worker's JavaScript heap. */
  readonly heapBytesMax: number;
  /** Growth of the process's resident memory while a patch runs, buffers included. */
  readonly residentBytesMax: number;
  /** From the message to the termination, and from the termination to the verdict that a worker is abandoned. */
  readonly graceMs: number;
}

export interface RunControl {
  readonly cancel: AbortSignal;
  readonly graceMs: number;
  readonly onProgress: (progress: PatchProgress) => void;
}

/** A host's patch workers: one fresh thread for each maintenance, and the count of those that were lost for good. */
export class PatchPool {
  readonly hostDirectory: string;
  readonly limits: PatchLimits;
  readonly #abandoned = new Set<Worker>();

  constructor(hostDirectory: string, limits: PatchLimits) {
    this.hostDirectory = hostDirectory;
    this.limits = limits;
  }

  /** Threads blocked in native code that have not ended to this day. */
  get abandonedThreads(): number {
    return this.#abandoned.size;
  }

  /** Throws ERR_PATCH_ABANDONED where every slot is lost. */
  openSession(): PatchSession {
    if (this.#abandoned.size >= SLOTS) {
      throw new StandstillError(
        'ERR_PATCH_ABANDONED',
        `Expected a free patch slot but all ${SLOTS} are held by workers that are blocked in native code`,
      );
    }
    return new PatchSession(this, (worker) => this.#abandon(worker));
  }

  #abandon(worker: Worker): void {
    this.#abandoned.add(worker);
    worker.once('exit', () => this.#abandoned.delete(worker));
  }
}

/**
 * The patches of one maintenance: loaded before the freeze, run in order inside of it, in one worker thread. One thread
 * is enough: patches go one after the other, and none runs after one that lost its worker.
 */
export class PatchSession implements AsyncDisposable {
  readonly #owner: PatchPool;
  readonly #abandon: (worker: Worker) => void;
  #pool: Piscina | undefined;

  constructor(owner: PatchPool, abandon: (worker: Worker) => void) {
    this.#owner = owner;
    this.#abandon = abandon;
  }

  /** Starts the worker and imports the module there. Rejects with ERR_PATCH_INVALID, or with the reason of `cancel`. */
  async load(patch: PatchSource, cancel: AbortSignal): Promise<void> {
    const tooSlow = new AbortController();
    const timer = setTimeout(() => {
      const message = `Expected ${patch.url} to load within ${LOAD_TIMEOUT_MS / 1000} s but it did not`;
      tooSlow.abort(new StandstillError('ERR_PATCH_INVALID', message));
    }, LOAD_TIMEOUT_MS);
    const stop = AbortSignal.any([cancel, tooSlow.signal]);
    try {
      const end = await runTask(
        this.#workers(),
        { kind: 'load', url: patch.url },
        this.#control(stop, 0, () => {}),
      );
      await this.reap(end);
      if (end.error?.code === 'ERR_PATCH_EXITED' || end.error?.code === 'ERR_PATCH_FAILED') {
        throw new StandstillError('ERR_PATCH_INVALID', `Expected ${patch.url} to load but: ${end.error.message}`);
      }
      if (end.error !== undefined) throw end.error;
    } finally {
      clearTimeout(timer);
    }
  }

  run(patch: PatchSource, { cancel, graceMs, onProgress }: RunControl): Promise<TaskEnd> {
    const { hostDirectory } = this.#owner;
    const request = { kind: 'run', url: patch.url, options: patch.options, hostDirectory } as const;
    return runTask(this.#workers(), request, this.#control(cancel, graceMs, onProgress));
  }

  /** Waits, within the grace, for a terminated worker to end; true where it did not and is abandoned. */
  async reap(end: TaskEnd): Promise<boolean> {
    const worker = end.terminated;
    if (worker === undefined || (await hasEnded(worker, this.#owner.limits.graceMs))) return false;
    this.#abandon(worker);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.destroy();
  }

  /** Made when the first patch is loaded: a maintenance without patches needs no thread. */
  #workers(): Piscina {
    this.#pool ??= createWorkers(WORKER_PATH, this.#owner.limits.heapBytesMax);
    return this.#pool;
  }

  #control(cancel: AbortSignal, graceMs: number, onProgress: TaskControl['onProgress']): TaskControl {
    return { cancel, graceMs, onProgress, residentBytesMax: this.#owner.limits.residentBytesMax };
  }
}

/** One thread at a time, made at its first task. */
export function createWorkers(filename: string, heapBytesMax: number): Piscina {
  const workers = new Piscina({
    filename,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(heapBytesMax / MIB) },
  });
  // A worker that dies between two tasks is noticed by the next one.
  workers.on('error', () => {});
  return workers;
}
