import type { NativeFreeze, NativeFreezeOptions, NativeFreezeRecord } from '../native/contract.js';
import type { Vm } from './vm.js';

/** Guests that stand still together, as the engine's do. `token` is 0 where none of them is the engine's. */
export type FrozenGuests = NativeFreeze;

/** A program of the engine's, or a process of this machine. */
export type GuestKindName = 'emulated' | 'process';

/** One VM's stamps of a freeze, on CLOCK_MONOTONIC in nanoseconds; 0 for what has not happened. */
export interface FreezeRecord extends NativeFreezeRecord {
  /** What stands behind the VM: a process counts no steps, and its clock is the host's. */
  readonly kind: GuestKindName;
}

/** What is common to all guests that are frozen alike: the engine's own, or processes. */
export interface GuestKind {
  readonly name: GuestKindName;
  /** Freezes guests of this kind, or none of them and throws. */
  freeze(vms: readonly Vm[], terms: NativeFreezeOptions): FrozenGuests;
}

/** Of what kind the guest of a VM is, for whoever freezes several at once. */
export const guestKind: unique symbol = Symbol('standstill.guestKind');

export type FreezableVm = Vm & { readonly [guestKind]: GuestKind };
