import type { NativeFreeze, NativeFreezeOptions } from '../native/contract.js';
import type { Vm } from './vm.js';

/** Guests that stand still together, as the engine's do. `token` is 0 where none of them is the engine's. */
export type FrozenGuests = NativeFreeze;

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
