import { z } from 'zod';
import { monotonicNs } from '../base/clock.js';
import { parseOptions } from '../base/options.js';
import { NS_PER_MS } from '../base/units.js';
import type { NativeFreezeOptions, ResumedBy } from '../native/contract.js';
import type { NativeSupervisorReply } from '../native/process-contract.js';
import { HANDSHAKE_TIMEOUT_MS_DEFAULT, timeoutMsSchema } from '../vm/emulated-vm.js';
import type { FreezeRecord, FrozenGuests } from '../vm/guest-kind.js';
import type { ProcessGuest } from './guest.js';

const EXPECTED_BUDGET = 'milliseconds above 0, up to 86400000';
const freezeOptionsSchema = z.strictObject({
  budgetMs: z.number(EXPECTED_BUDGET).positive(EXPECTED_BUDGET).max(86_400_000, EXPECTED_BUDGET).default(30_000),
  handshakeTimeoutMs: timeoutMsSchema.default(HANDSHAKE_TIMEOUT_MS_DEFAULT),
});

/** How long a freeze of processes may take. */
export interface ProcessFreezeOptions {
  /** From the request on, in milliseconds above 0, up to 24 h. Default 30,000. */
  budgetMs?: number | undefined;
  /** How long to wait for every task to be frozen, in milliseconds. Default 1,000. */
  handshakeTimeoutMs?: number | undefined;
}

/** The budget is kept by the supervisors; the clocks of a process are the host's. */
type ProcessFreezeTerms = Pick<NativeFreezeOptions, 'budgetNs' | 'handshakeTimeoutNs'>;

export function parseFreezeTerms(options: ProcessFreezeOptions): ProcessFreezeTerms {
  const { budgetMs, handshakeTimeoutMs } = parseOptions(freezeOptionsSchema, options, 'a freeze');
  return { budgetNs: budgetMs * NS_PER_MS, handshakeTimeoutNs: handshakeTimeoutMs * NS_PER_MS };
}

interface Frozen {
  readonly guest: ProcessGuest;
  /** False for one that stood still before: it is left so. */
  readonly wasRunning: boolean;
  readonly generation: number;
  record: FreezeRecord;
}

/**
 * Process guests that are frozen together, until they are released or each one's supervisor thaws it at the deadline. It
 * answers as the engine's freeze of emulated guests does.
 */
export class ProcessFreeze implements FrozenGuests, Disposable, AsyncDisposable {
  readonly #guests: readonly Frozen[];
  readonly #deadlineAtNs: bigint;

  private constructor(guests: readonly Frozen[], deadlineAtNs: bigint) {
    this.#guests = guests;
    this.#deadlineAtNs = deadlineAtNs;
  }

  /**
   * Asks all of them first, then waits for each. Blocks for milliseconds at most in general, for the handshake timeout at
   * worst. ERR_BUSY, ERR_PAUSE_TIMEOUT, ERR_PROCESS_ENDED, ERR_FREEZER_UNAVAILABLE, ERR_SUPERVISOR_LOST,
   * ERR_VM_CLOSED: all of them run on then.
   */
  static begin(guests: readonly ProcessGuest[], terms: ProcessFreezeTerms): ProcessFreeze {
    const deadlineAtNs = monotonicNs() + BigInt(Math.ceil(terms.budgetNs));
    for (const guest of guests) guest.assertFree();
    const requests = guests.map((guest) => request(guest, terms, deadlineAtNs));
    // Each answer is fetched, whatever becomes of the others.
    const outcomes = requests.map(settled);
    const frozen = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
    const freeze = new ProcessFreeze(frozen, deadlineAtNs);
    for (const { guest } of frozen) guest.hold(freeze);
    const failure = outcomes.find((outcome) => 'error' in outcome);
    if (failure === undefined) return freeze;
    freeze.release();
    throw failure.error;
  }

  /** Thaws those that their supervisors have not thawed yet. Idempotent. */
  release(): void {
    for (const held of this.#guests) {
      if (held.wasRunning && !isOver(held)) this.#note(held, held.guest.thaw(held.generation));
    }
    this.#free();
  }

  remainingNs(): number {
    return Number(this.#deadlineAtNs - monotonicNs());
  }

  /** Whether every guest that was running runs again. */
  get released(): boolean {
    this.#refresh();
    return this.#guests.every((held) => !held.wasRunning || isOver(held));
  }

  token(): number {
    return 0;
  }

  /** Resolves when every guest runs again, or has ended. */
  async settled(): Promise<void> {
    for (const held of this.#guests) {
      while (held.wasRunning && !isOver(held)) {
        const thawed = held.guest.nextChange();
        this.#refresh();
        if (!isOver(held)) await thawed;
        this.#refresh();
      }
    }
  }

  records(): FreezeRecord[] {
    this.#refresh();
    return this.#guests.map(({ record }) => record);
  }

  /** Like `release`. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Like `release`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }

  #refresh(): void {
    for (const held of this.#guests) {
      if (held.wasRunning && !isOver(held)) this.#note(held, held.guest.look());
    }
    // Those that have ended before the deadline are held all the same: nothing runs in here that is started again.
    if (this.remainingNs() <= 0 && this.#guests.every((held) => !held.wasRunning || isOver(held))) this.#free();
  }

  /** What was kept from starting starts behind those that were thawed: their blackout does not wait for it. */
  #free(): void {
    for (const { guest } of this.#guests) guest.free(this);
  }

  /** A guest that is closed is held no more, and nobody resumed it. */
  #note(held: Frozen, reply: NativeSupervisorReply | undefined): void {
    const endedAtNs = monotonicNs();
    held.record =
      reply === undefined || reply.generation !== held.generation
        ? { ...held.record, releasedAtNs: endedAtNs, resumedAtNs: endedAtNs }
        : { ...recordOf(held.guest.name, reply), observedAtNs: held.record.observedAtNs };
  }
}

const isOver = ({ record }: Frozen): boolean => record.releasedAtNs !== 0n;

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

function settled<T>(ask: () => T): Outcome<T> {
  try {
    return { value: ask() };
  } catch (error) {
    return { error };
  }
}

/** Asks a guest to freeze, and returns what awaits its answer. Neither throws before all have been asked. */
function request(guest: ProcessGuest, terms: ProcessFreezeTerms, deadlineAtNs: bigint): () => Frozen {
  const asked = settled(() => {
    if (guest.state === 'running') return guest.requestFreeze(terms.handshakeTimeoutNs, deadlineAtNs);
    guest.assertAlive();
    return undefined;
  });
  return () => {
    if ('error' in asked) throw asked.error;
    if (asked.value === undefined) {
      return { guest, wasRunning: false, generation: 0, record: emptyRecord(guest.name, false) };
    }
    const reply = asked.value();
    return { guest, wasRunning: true, generation: reply.generation, record: recordOf(guest.name, reply) };
  };
}

const THAWERS: Record<NativeSupervisorReply['thawedBy'], ResumedBy | null> = {
  nobody: null,
  caller: 'caller',
  deadline: 'deadline',
};

/** A process counts no steps, and its clock is the host's: nothing of it has to be synchronised. */
function emptyRecord(name: string, wasRunning: boolean): FreezeRecord {
  return {
    name,
    kind: 'process',
    wasRunning,
    requestedAtNs: 0n,
    haltedAtNs: 0n,
    observedAtNs: 0n,
    releasedAtNs: 0n,
    resumedAtNs: 0n,
    syncedAtNs: 0n,
    stepsAtHalt: 0,
    stepsAtRelease: 0,
    clockLagBeforeNs: 0,
    clockLagAfterNs: 0,
    clockBracketNs: 0,
    syncedBy: 'off',
    resumedBy: null,
  };
}

const recordOf = (name: string, reply: NativeSupervisorReply): FreezeRecord => ({
  ...emptyRecord(name, true),
  requestedAtNs: reply.requestedAtNs,
  haltedAtNs: reply.frozenAtNs,
  observedAtNs: monotonicNs(),
  releasedAtNs: reply.thawAtNs,
  resumedAtNs: reply.runningAtNs,
  syncedAtNs: reply.runningAtNs,
  resumedBy: THAWERS[reply.thawedBy],
});
