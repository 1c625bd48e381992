import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from '../../base/clock.js';
import { isStandstillError } from '../../base/errors.js';
import type { EventLog } from '../../base/event-log.js';
import { NS_PER_MS } from '../../base/units.js';
import type { Host } from '../../host/host.js';
import { type Proof, UNPROVEN } from '../../maintenance/proof.js';
import { describeChange } from '../../report/figures.js';
import type { RunEvent } from '../../report/record.js';
import type { Vm } from '../../vm/vm.js';
import type { Faults } from './faults.js';

export interface FreezeTerms {
  /** How long all stands still at least; reading memory at both ends comes on top. */
  readonly durationMs: number;
  readonly budgetMs: number;
  /** 'none': memory is not read; else all of it is, at both ends. */
  readonly proof: Proof;
  readonly faults: Faults;
  readonly log: EventLog<RunEvent>;
  readonly signal: AbortSignal;
}

/**
 * Freezes VMs of one host for so long, and writes down what became of their memory and their clocks. Resolves with false
 * where the deadline released them before.
 */
export async function freezeFor(host: Host, vms: readonly Vm[], terms: FreezeTerms): Promise<boolean> {
  const { durationMs, budgetMs, faults, log, signal } = terms;
  const proof = terms.proof === 'none' ? 'none' : 'full';
  const tell = (vm: string, found: Parameters<typeof describeChange>[0] & { bytesRead: number }) => {
    const { memory, bytesRead } = found;
    if (proof === 'full') {
      log.append({ type: 'memory-read', vm, memory, difference: describeChange(found) || null, bytesRead });
    }
  };
  try {
    const report = await host.whileFrozen(
      vms,
      async (frozen) => {
        for (const { vm, gpa, bit } of faults.flipsOf(vms.map(({ name }) => name))) {
          vms.find(({ name }) => name === vm)?.flipBit(gpa, bit);
        }
        await standStill(durationMs, AbortSignal.any([signal, frozen.signal]));
      },
      { budgetMs, proof, keepBytes: false },
    );
    for (const vm of report.vms) {
      tell(vm.name, vm);
      const { wasRunning, clockLagBeforeNs: beforeNs, clockLagAfterNs: afterNs } = vm;
      if (wasRunning && afterNs !== null) log.append({ type: 'clock-lag', vm: vm.name, beforeNs, afterNs });
    }
    return report.resumedBy !== 'deadline';
  } catch (error) {
    if (!isStandstillError(error, 'ERR_CALLBACK_TIMEOUT')) throw error;
    for (const { name } of vms) tell(name, UNPROVEN);
    return false;
  }
}

/** A timer may be early: never shorter than was asked for. */
async function standStill(durationMs: number, signal: AbortSignal): Promise<void> {
  const untilNs = monotonicNs() + BigInt(Math.ceil(durationMs * NS_PER_MS));
  for (let leftNs = untilNs - monotonicNs(); leftNs > 0n && !signal.aborted; leftNs = untilNs - monotonicNs()) {
    await sleep(Math.ceil(Number(leftNs) / NS_PER_MS), undefined, { signal }).catch(() => {});
  }
}
