import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeFreezeOptions, NativeFreezeRecord } from '../native/contract.js';
import { nativeClockSync } from '../vm/clock-sync.js';
import { type FreezableVm, type FrozenGuests, type GuestKind, guestKind } from '../vm/guest-kind.js';
import type { ParsedFreezeSettings } from './freeze-scope.js';

/**
 * Freezes VMs of whatever kinds, or none of them and throws. The engine takes part in any freeze, if only with no guest:
 * its token is what a worker sees natively, and its timer what ends that.
 */
export function freezeGuests(vms: readonly FreezableVm[], settings: ParsedFreezeSettings): FrozenGuests {
  const terms = termsOf(settings);
  const kinds = [...new Set(vms.map((vm) => vm[guestKind]))].sort(slowestFirst);
  const [only] = kinds;
  if (only !== undefined && kinds.length === 1 && isEngine(only)) return only.freeze(vms, terms);
  const deadlineAtNs = monotonicNs() + BigInt(Math.ceil(terms.budgetNs));
  const inTime = () => ({ ...terms, budgetNs: Math.max(1, Number(deadlineAtNs - monotonicNs())) });
  const parts: Part[] = [];
  try {
    for (const kind of kinds) parts.push(freezeKind(kind, vms, inTime()));
    if (!kinds.some(isEngine)) parts.push({ guests: addon.freeze([], inTime()), places: [] });
  } catch (error) {
    for (const { guests } of parts) guests.release();
    throw error;
  }
  return new MixedFreeze(parts);
}

interface Part {
  readonly guests: FrozenGuests;
  /** Where each of its VMs stands among all. */
  readonly places: readonly number[];
}

function freezeKind(kind: GuestKind, vms: readonly FreezableVm[], terms: NativeFreezeOptions): Part {
  const places = [...vms.keys()].filter((index) => vms[index]?.[guestKind] === kind);
  return {
    guests: kind.freeze(
      vms.filter((vm) => vm[guestKind] === kind),
      terms,
    ),
    places,
  };
}

class MixedFreeze implements FrozenGuests {
  readonly #parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** Those that were halted last first: they take the least time. */
  release(): void {
    for (const { guests } of this.#parts.toReversed()) guests.release();
  }

  remainingNs(): number {
    return Math.min(...this.#parts.map(({ guests }) => guests.remainingNs()));
  }

  get released(): boolean {
    return this.#parts.every(({ guests }) => guests.released);
  }

  token(): number {
    return Math.max(...this.#parts.map(({ guests }) => guests.token()));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#parts.map(({ guests }) => guests.settled()));
  }

  records(): NativeFreezeRecord[] {
    const placed = this.#parts.flatMap(({ guests, places }) =>
      guests.records().map((record, index) => ({ record, place: places[index] ?? 0 })),
    );
    return placed.sort((a, b) => a.place - b.place).map(({ record }) => record);
  }
}

const isEngine = ({ name }: GuestKind): boolean => name === 'emulated';

/** The engine's guests halt in microseconds, others in milliseconds: those do not wait for these. */
const slowestFirst = (a: GuestKind, b: GuestKind): number => Number(isEngine(a)) - Number(isEngine(b));

const termsOf = (settings: ParsedFreezeSettings): NativeFreezeOptions => ({
  budgetNs: settings.budgetMs * NS_PER_MS,
  handshakeTimeoutNs: settings.handshakeTimeoutMs * NS_PER_MS,
  clockSync: settings.clockSync === undefined ? null : nativeClockSync(settings.clockSync),
});
