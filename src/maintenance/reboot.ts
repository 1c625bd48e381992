import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import { type EmulatedVm, nativeHandle } from '../vm/emulated-vm.js';
import type { ImpactRecord } from './freeze-scope.js';

/** A VM and the state in which it boots. */
export interface Bootable {
  readonly vm: EmulatedVm;
  readonly boot: VmSnapshot;
}

export interface Down extends Bootable {
  readonly wasRunning: boolean;
  readonly requestedAtNs: bigint;
  readonly haltedAtNs: bigint;
}

/** A VM that was shut down and started again. */
export interface Rebooted {
  readonly vm: EmulatedVm;
  readonly wasRunning: boolean;
  /** From the shut-down to the start. */
  readonly downNs: number;
}

/** All of them or none. */
export function shutDownAll(vms: readonly Bootable[], timeoutMs: number): Down[] {
  const down: Down[] = [];
  try {
    for (const vm of vms) down.push(shutDown(vm, timeoutMs));
    return down;
  } catch (error) {
    for (const { vm, wasRunning } of down) if (wasRunning) vm[nativeHandle].resume();
    throw error;
  }
}

/** Not by the VM's own `pause`, which tells the log that its user has paused it. */
export function shutDown({ vm, boot }: Bootable, timeoutMs: number): Down {
  const wasRunning = vm.state === 'running' || vm.state === 'idle';
  const requestedAtNs = monotonicNs();
  const { haltNs } = vm[nativeHandle].pause(timeoutMs * NS_PER_MS);
  return { vm, boot, wasRunning, requestedAtNs, haltedAtNs: requestedAtNs + BigInt(Math.round(haltNs)) };
}

/**
 * The VM begins anew; one that stood still does so still. The journal is told of one that ran before, whatever has become
 * of it.
 */
export async function restart(
  { vm, boot, wasRunning, requestedAtNs, haltedAtNs }: Down,
  journal: (records: readonly ImpactRecord[]) => void,
): Promise<Rebooted> {
  try {
    if (vm.state !== 'closed') {
      await vm.rollback(boot);
      if (wasRunning) vm[nativeHandle].resume();
    }
  } finally {
    const resumedAtNs = monotonicNs();
    const stamps = { requestedAtNs, haltedAtNs, releasedAtNs: resumedAtNs, resumedAtNs };
    journal([{ name: vm.name, wasRunning, ...stamps, resumedBy: 'caller' }]);
  }
  return { vm, wasRunning, downNs: Number(monotonicNs() - haltedAtNs) };
}
