import type { NativeVmConfig } from '../native/contract.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import { createFromConfig } from './emulated-vm.js';

/** The state in which a VM boots: a rollback to it is a restart, which loses what the memory held. */
export async function bootSnapshot(boot: NativeVmConfig): Promise<VmSnapshot> {
  using fresh = await createFromConfig({ ...boot, prefault: false });
  return await fresh.snapshot();
}
