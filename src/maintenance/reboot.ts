import { monotonicNs } from '../base/clock.js';
import type { ImpactRecord } from './freeze-scope.js';

/** A VM that can be shut down and started again; its memory is lost by it. */
export interface Bootable {
  readonly name: string;
  /** An emulated guest is halted, in the given time; a process is asked to end, and killed after its grace. */
  shutDown(timeoutMs: number): Promise<Down>;
}

/** A VM that was shut down. */
export interface Down {
  readonly name: string;
  readonly wasRunning: boolean;
  readonly requestedAtNs: bigint;
  readonly haltedAtNs: bigint;
  /**
   * The VM begins anew, and runs where it ran before, or where it is woken; else it stands still as before. Nothing where
   * it was closed meanwhile.
   */
  restart(isWoken: boolean): Promise<void>;
  /** The shut-down was not to be: it goes on where it can, and begins anew where it cannot. */
  undo(): Promise<void>;
}

/** A VM that was shut down and started again. */
export interface Rebooted {
  readonly wasRunning: boolean;
  /** From the shut-down to the start. */
  readonly downNs: number;
}

/** All of them or none. */
export async function shutDownAll(vms: readonly Bootable[], timeoutMs: number): Promise<Down[]> {
  const down: Down[] = [];
  try {
    for (const vm of vms) down.push(await vm.shutDown(timeoutMs));
    return down;
  } catch (error) {
    for (const each of down) await each.undo();
    throw error;
  }
}

/** The journal is told of a VM that ran before, whatever has become of it. */
export async function restart(
  down: Down,
  journal: (records: readonly ImpactRecord[]) => void,
  isWoken = false,
): Promise<Rebooted> {
  const { name, wasRunning, requestedAtNs, haltedAtNs } = down;
  try {
    await down.restart(isWoken);
  } finally {
    const resumedAtNs = monotonicNs();
    const stamps = { requestedAtNs, haltedAtNs, releasedAtNs: resumedAtNs, resumedAtNs };
    journal([{ name, wasRunning, ...stamps, resumedBy: 'caller' }]);
  }
  return { wasRunning, downNs: Number(monotonicNs() - haltedAtNs) };
}
