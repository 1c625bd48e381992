import { z } from 'zod';
import { monotonicNs, sleepMs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import { type ClockSyncOptions, clockSyncSchema } from '../vm/clock-sync.js';
import { HANDSHAKE_TIMEOUT_MS_DEFAULT, timeoutMsSchema } from '../vm/emulated-vm.js';
import { type FreezableVm, type FreezeRecord, type FrozenGuests, guestKind } from '../vm/guest-kind.js';
import { freezeGuests } from './mixed-freeze.js';

export const BUDGET_MS_DEFAULT = 30_000;
const BUDGET_MS_MAX = 24 * 3_600_000;

const FIRST_STEP_TIMEOUT_MS = 5000;
const POLL_MS = 1;

const EXPECTED_BUDGET = 'milliseconds above 0, up to 86400000';

export const budgetMsSchema = z
  .number(EXPECTED_BUDGET)
  .positive(EXPECTED_BUDGET)
  .max(BUDGET_MS_MAX, EXPECTED_BUDGET)
  .default(BUDGET_MS_DEFAULT);

/** The options that every freeze takes, as fields of a zod schema. */
export const freezeFields = {
  budgetMs: budgetMsSchema,
  handshakeTimeoutMs: timeoutMsSchema.default(HANDSHAKE_TIMEOUT_MS_DEFAULT),
  clockSync: clockSyncSchema.optional(),
};

/** How long a freeze may take, and how clocks are set behind it. */
export interface FreezeSettings {
  /**
   * From the request on, in milliseconds above 0, up to 24 h; default 30,000. When it has passed, the engine's own timer
   * thread releases the VMs, whatever JavaScript is doing.
   */
  budgetMs?: number | undefined;
  /** How long to wait for all guests to halt, in milliseconds; default 1,000. */
  handshakeTimeoutMs?: number | undefined;
  /** How the clocks of all of its VMs are synchronised. Default: each by its VM's own `clockSync`. */
  clockSync?: ClockSyncOptions | undefined;
}

/** The settings after validation, with every default applied. */
export type ParsedFreezeSettings = z.output<z.ZodObject<typeof freezeFields>>;

export type { FreezeRecord };

/**
 * What an impact is for: a maintenance, the look at each VM after one, a freeze for whatever its caller has in mind, or
 * the restart of an event that was raised.
 */
export type FreezeCause = 'maintenance' | 'inspection' | 'freeze' | 'restart';

/** When one VM stood still, on CLOCK_MONOTONIC in nanoseconds. */
export type ImpactRecord = Pick<
  FreezeRecord,
  'name' | 'wasRunning' | 'requestedAtNs' | 'haltedAtNs' | 'releasedAtNs' | 'resumedAtNs' | 'resumedBy'
>;

/**
 * Told of each freeze and each restart once its VMs run again, so that writing it down takes no time from them. The
 * records are in the order of the VMs; a stamp is 0 where a guest has not got there.
 */
export type ImpactJournal = (cause: FreezeCause, records: readonly ImpactRecord[]) => void;

/**
 * A freeze that is under way: its VMs are halted with their memory in place. Whatever leaves the scope, by return, throw
 * or deadline, resumes those that ran before. `using` releases; `await using` also waits until the clocks are right.
 */
export class FreezeScope implements Disposable, AsyncDisposable {
  readonly #guests: FrozenGuests;
  readonly #vms: readonly FreezableVm[];
  #journal: ((records: readonly FreezeRecord[]) => void) | undefined;

  private constructor(
    guests: FrozenGuests,
    vms: readonly FreezableVm[],
    journal: ((records: readonly FreezeRecord[]) => void) | undefined,
  ) {
    this.#guests = guests;
    this.#vms = vms;
    this.#journal = journal;
  }

  /**
   * Synchronous; takes microseconds a VM, for a process milliseconds. ERR_BUSY, ERR_PAUSE_TIMEOUT, ERR_VM_CLOSED: no VM is frozen then. The journal
   * is called once, when the scope is left and the VMs run again.
   */
  static begin(
    vms: readonly FreezableVm[],
    settings: ParsedFreezeSettings,
    journal?: (records: readonly FreezeRecord[]) => void,
  ): FreezeScope {
    return new FreezeScope(freezeGuests(vms, settings), vms, journal);
  }

  /** Resumes the VMs that the deadline has not resumed yet. Idempotent. */
  release(): void {
    this.#guests.release();
    if (this.#journal !== undefined) void this.#running().then(() => this.#writeDown());
  }

  /** Nanoseconds until the deadline; negative once it has passed. */
  get remainingNs(): number {
    return this.#guests.remainingNs();
  }

  /** The number of this freeze, used once in a process: by it a worker sees natively whether it is held. */
  get generation(): number {
    return this.#guests.token();
  }

  /** True once the VMs run again, whoever released them. */
  get released(): boolean {
    return this.#guests.released;
  }

  /**
   * Resolves when every VM runs again and its clock is synchronised, each after its own delay. A guest thread that gets no processor within 5 s of
   * that is not waited for any longer.
   */
  async settled(): Promise<void> {
    await this.#guests.settled();
    await this.#running();
    this.#writeDown();
  }

  /** What has happened so far, one record a VM, in the order in which they were given. */
  records(): FreezeRecord[] {
    return this.#guests.records().map((record, index) => ({
      ...record,
      kind: this.#vms[index]?.[guestKind].name ?? 'process',
    }));
  }

  async #running(): Promise<void> {
    const deadlineAtNs = monotonicNs() + BigInt(FIRST_STEP_TIMEOUT_MS * NS_PER_MS);
    while (this.#awaitsFirstStep() && monotonicNs() < deadlineAtNs) await sleepMs(POLL_MS);
  }

  #writeDown(): void {
    const journal = this.#journal;
    this.#journal = undefined;
    journal?.(this.records());
  }

  /** The engine is done with a guest when it has woken it; the guest stamps its first step itself. */
  #awaitsFirstStep(): boolean {
    return this.records().some((record, index) => {
      const state = this.#vms[index]?.state;
      return record.wasRunning && record.resumedAtNs === 0n && (state === 'running' || state === 'idle');
    });
  }

  /** Like `release`. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Releases, and waits until the clocks are synchronised. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.settled();
  }
}
