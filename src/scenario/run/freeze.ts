import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from '../../base/clock.js';
import type { EventLog } from '../../base/event-log.js';
import { NS_PER_MS } from '../../base/units.js';
import type { Host } from '../../host/host.js';
import type { Proof } from '../../maintenance/proof.js';
import { ProcessVm } from '../../process/process-vm.js';
import type { RunEvent } from '../../report/record.js';
import type { Vm } from '../../vm/vm.js';
import type { Faults } from './faults.js';
import { proofOf, readMemory } from './memory.js';

export interface FreezeTerms {
  /** From the moment at which all stands still to the release, the proof included. */
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
  const read = async () => (terms.proof === 'none' ? [] : await Promise.all(vms.map(readMemory)));
  await using scope = host.freeze({ vms, budgetMs });
  const frozenAtNs = monotonicNs();
  const elapsedMs = () => Number(monotonicNs() - frozenAtNs) / NS_PER_MS;
  // A timer may be early, and the second reading quicker than the first: never shorter than was asked for.
  const until = async (atMs: number) => {
    while (elapsedMs() < atMs && !signal.aborted) {
      await sleep(Math.ceil(atMs - elapsedMs()), undefined, { signal }).catch(() => {});
    }
  };
  const before = await read();
  const readingMs = elapsedMs();
  if (!scope.released) {
    for (const { vm, gpa, bit } of faults.flipsOf(vms.map(({ name }) => name))) {
      vms.find(({ name }) => name === vm)?.flipBit(gpa, bit);
    }
  }
  await until(durationMs - readingMs);
  const after = await read();
  await until(durationMs);
  scope.release();
  await scope.settled();
  const records = scope.records();
  for (const [index, vm] of vms.entries()) {
    const record = records[index];
    if (terms.proof !== 'none')
      log.append({ type: 'memory-read', vm: vm.name, ...proofOf(before[index], after[index]) });
    if (record?.wasRunning !== true || vm instanceof ProcessVm) continue;
    const { clockLagBeforeNs: beforeNs, clockLagAfterNs: afterNs } = record;
    log.append({ type: 'clock-lag', vm: vm.name, beforeNs, afterNs });
  }
  return records.every(({ resumedBy }) => resumedBy !== 'deadline');
}
