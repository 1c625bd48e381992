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

const open = new Set<NativeVm>();

/**
 * A VM of the engine itself: the cases measure it, and not the validation of options; P2 asks through the library. A case
 * closes it once it is done with it; where it does not come to that, `closeVms` does.
 */
export async function createVm(options: BenchVmOptions = {}): Promise<NativeVm> {
  const { name = 'bench', ramBytes = 64 * MIB, program = 'page-writer', params = {}, prefault = true } = options;
  const vm = await addon.createVm({ name, ramBytes, program, params, seed: 1n, dutyCycle: 1, prefault });
  open.add(vm);
  return vm;
}

/** Closes the VMs that a case has created and not closed: it was aborted, or it failed. */
export function closeVms(): void {
  for (const vm of open) vm.close();
  open.clear();
}
