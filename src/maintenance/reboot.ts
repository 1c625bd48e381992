import { monotonicNs } from '../base/clock.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';

interface Down {
  readonly vm: EmulatedVm;
  readonly wasRunning: boolean;
  readonly downAtNs: bigint;
}

/** A VM that was shut down and started again. */
export interface Rebooted {
  readonly vm: EmulatedVm;
  readonly wasRunning: boolean;
  /** From the shut-down to the start. */
  readonly downNs: number;
}

export const shutDown = (vms: readonly EmulatedVm[]): Down[] =>
  vms.map((vm) => {
    const wasRunning = vm.state === 'running' || vm.state === 'idle';
    vm.pause();
    return { vm, wasRunning, downAtNs: monotonicNs() };
  });

/** Each VM begins anew, at the state in which it boots; one that stood still does so still. */
export const restartAll = (down: readonly Down[], boots: readonly VmSnapshot[]): Promise<Rebooted[]> =>
  Promise.all(
    down.map(async ({ vm, wasRunning, downAtNs }, index) => {
      const boot = boots[index];
      if (boot !== undefined && vm.state !== 'closed') {
        await vm.rollback(boot);
        if (wasRunning) vm.resume();
      }
      return { vm, wasRunning, downNs: Number(monotonicNs() - downAtNs) };
    }),
  );
