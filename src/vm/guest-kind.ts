import type { NativeFreezeOptions, NativeFreezeRecord } from '../native/contract.js';
import type { Vm } from './vm.js';

/** Guests of one kind that stand still together. Each member means what it means of the engine's freeze. */
export interface FrozenGuests {
  release(): void;
  remainingNs(): number;
  readonly released: boolean;
  /** 0 where none of the guests is the engine's, so that its fence does not know the freeze. */
  token(): number;
  settled(): Promise<void>;
  /** In the order in which the guests were given. */
  records(): NativeFreezeRecord[];
}

/** What is common to all guests that are frozen alike: the engine's own, or processes. */
export interface GuestKind {
  /** Kinds that take longer to halt are asked first, so that the others do not wait for them. */
  readonly haltsIn: 'microseconds' | 'milliseconds';
  /** Freezes guests of this kind, or none of them and throws. */
  freeze(vms: readonly Vm[], terms: NativeFreezeOptions): FrozenGuests;
}

/** Of what kind the guest of a VM is, for whoever freezes several at once. */
export const guestKind: unique symbol = Symbol('standstill.guestKind');

export type FreezableVm = Vm & { readonly [guestKind]: GuestKind };
