import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import { type EmulatedVm, nativeHandle } from '../vm/emulated-vm.js';
import type { ImpactJournal } from './freeze-scope.js';

interface Down {
  readonly vm: EmulatedVm;
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

/** All of them or none. Not by the VM's own `pause`, which tells the log that its user has paused it. */
export function shutDown(vms: readonly EmulatedVm[], timeoutMs: number): Down[] {
  const down: Down[] = [];
  try {
    for (const vm of vms) {
      const wasRunning = vm.state === 'running' || vm.state === 'idle';
      const requestedAtNs = monotonicNs();
      const { haltNs } = vm[nativeHandle].pause(timeoutMs * NS_PER_MS);
      down.push({ vm, wasRunning, requestedAtNs, haltedAtNs: requestedAtNs + BigInt(Math.round(haltNs)) });
    }
    return down;
  } catch (error) {
    for (const { vm, wasRunning } of down) if (wasRunning) vm[nativeHandle].resume();
    throw error;
  }
}

/**
 * Each VM begins anew, at the state in which it boots; one that stood still does so still. The journal is told of each
 * that ran before, whatever has become of it.
 */
export const restartAll = (
  down: readonly Down[],
  boots: readonly VmSnapshot[],
  journal: ImpactJournal,
): Promise<Rebooted[]> =>
  Promise.all(
    down.map(async ({ vm, wasRunning, requestedAtNs, haltedAtNs }, index) => {
      try {
        const boot = boots[index];
        if (boot !== undefined && vm.state !== 'closed') {
          await vm.rollback(boot);
          if (wasRunning) vm[nativeHandle].resume();
        }
      } finally {
        const resumedAtNs = monotonicNs();
        const stamps = { requestedAtNs, haltedAtNs, releasedAtNs: resumedAtNs, resumedAtNs };
        journal('maintenance', [{ name: vm.name, wasRunning, ...stamps, resumedBy: 'caller' }]);
      }
      return { vm, wasRunning, downNs: Number(monotonicNs() - haltedAtNs) };
    }),
  );
