import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import { monotonicNs } from '../base/clock.js';
import { StandstillError } from '../base/errors.js';
import type { PlannedBundle } from '../components/update.js';
import type { UpdateRequest } from '../components/update-messages.js';
import type { PatchProgress } from './patch-module.js';
import { createWorkers, type PatchLimits, type RunControl } from './patch-pool.js';
import { runTask, type TaskEnd } from './patch-task.js';

const WORKER_PATH = fileURLToPath(new URL('../components/update-worker.js', import.meta.url));
/** What is not to be cancelled: taking back, and what decides the end. */
const NEVER = new AbortController().signal;

type Act = Act_<UpdateRequest>;
type Act_<T> = T extends unknown ? Omit<T, 'port' | 'root' | 'update'> : never;

/** What has become of an update: its versions are staged, then current, then kept or taken back. */
export type UpdateOutcome = 'committed' | 'rolled-back';

/**
 * The update of a host's components by the bundles of one maintenance, done by a worker thread: all of it is committed,
 * or none. Leaving the scope takes back what was not committed.
 */
export class UpdateSession implements AsyncDisposable {
  readonly id = randomUUID();
  readonly bundles: readonly PlannedBundle[];
  readonly #root: string;
  readonly #trustedKeys: readonly string[];
  readonly #limits: PatchLimits;
  readonly #workers: Piscina;
  #hasBegun = false;
  #outcome: UpdateOutcome | undefined;
  #stagingNs = 0;

  constructor(root: string, bundles: readonly PlannedBundle[], trustedKeys: readonly string[], limits: PatchLimits) {
    this.#root = root;
    this.bundles = bundles;
    this.#trustedKeys = trustedKeys;
    this.#limits = limits;
    this.#workers = createWorkers(WORKER_PATH, limits.heapBytesMax);
  }

  /** How long extracting, verifying and placing took. */
  get stagingNs(): number {
    return this.#stagingNs;
  }

  get outcome(): UpdateOutcome | undefined {
    return this.#outcome;
  }

  /** Starts the worker, so that what is in the freeze does not wait for it. */
  async open(stop: AbortSignal): Promise<void> {
    throwFailure(await this.#ask({ kind: 'open' }, { cancel: stop, graceMs: 0, onProgress: () => {} }));
  }

  /** Rejects with ERR_BUNDLE_UNTRUSTED, ERR_BUNDLE_INVALID, ERR_BUNDLE_DIGEST, ERR_STORE_IO, or the reason of `stop`. */
  async stage(stop: AbortSignal, onProgress: (progress: PatchProgress) => void): Promise<void> {
    const beganAtNs = monotonicNs();
    this.#hasBegun = true;
    const request = { kind: 'stage', bundles: this.bundles, trustedKeys: this.#trustedKeys } as const;
    const end = await this.#ask(request, { cancel: stop, graceMs: 0, onProgress });
    this.#stagingNs = Number(monotonicNs() - beganAtNs);
    throwFailure(end);
  }

  /** Makes a component's new version current; in a freeze, only while that is held. Never rejects. */
  async switch(component: string, generation: number | null, control: RunControl): Promise<TaskEnd> {
    return await this.#ask({ kind: 'switch', component, generation }, control);
  }

  /** Reads what is current now, behind the running VMs. Undefined, or why it is not as it should be. */
  async check(stop: AbortSignal): Promise<StandstillError | undefined> {
    return (await this.#ask({ kind: 'check' }, { cancel: stop, graceMs: 0, onProgress: () => {} })).error;
  }

  /** The new versions stay; undefined, or why they do not: the deadline has ended the freeze of that generation. */
  async commit(generation: number | null): Promise<StandstillError | undefined> {
    const { error } = await this.#ask({ kind: 'commit', generation }, WITHOUT_END);
    if (error === undefined) this.#outcome = 'committed';
    return error;
  }

  /** The old versions are current again. Rejects with ERR_STORE_IO; the next opening of the store then ends it. */
  async rollBack(reason: string): Promise<void> {
    if (!this.#hasBegun || this.#outcome !== undefined) return;
    this.#outcome = 'rolled-back';
    const { error } = await this.#ask({ kind: 'roll-back', reason }, WITHOUT_END);
    // One that could not even begin has left nothing.
    if (error !== undefined && error.code !== 'ERR_STORE_DAMAGED') throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.rollBack('the maintenance did not end');
    } finally {
      await this.#workers.destroy();
    }
  }

  #ask(act: Act, { cancel, graceMs, onProgress }: RunControl): Promise<TaskEnd> {
    const request = { ...act, root: this.#root, update: this.id } as const;
    const { residentBytesMax } = this.#limits;
    return runTask(this.#workers, request, { cancel, graceMs, onProgress, residentBytesMax });
  }
}

const WITHOUT_END: RunControl = { cancel: NEVER, graceMs: 0, onProgress: () => {} };

function throwFailure({ error }: TaskEnd): void {
  if (error !== undefined) throw error;
}

export const notCommitted = (reason: string): StandstillError =>
  new StandstillError('ERR_PATCH_ROLLED_BACK', `Expected the maintenance to end well but ${reason}`);
