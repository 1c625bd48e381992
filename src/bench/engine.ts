import { MIB } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeFreezeOptions, NativeVm } from '../native/contract.js';

export const HANDSHAKE_TIMEOUT_NS = 1e9;
export const FREEZE_OPTIONS: NativeFreezeOptions = {
  budgetNs: 30e9,
  handshakeTimeoutNs: HANDSHAKE_TIMEOUT_NS,
};

export interface BenchVmOptions {
  readonly name?: string;
  /** Default 64 MiB. */
  readonly ramBytes?: number;
  /** Default page-writer. */
  readonly program?: string;
  readonly params?: Record<string, number>;
  /** Default true: every page has been there once. */
  readonly prefault?: boolean;
}

/** A VM of the engine itself: the cases measure it, and not the validation of options; P2 asks through the library. */
export async function createVm(options: BenchVmOptions = {}): Promise<NativeVm> {
  const { name = 'bench', ramBytes = 64 * MIB, program = 'page-writer', params = {}, prefault = true } = options;
  return await addon.createVm({ name, ramBytes, program, params, seed: 1n, dutyCycle: 1, prefault });
}
