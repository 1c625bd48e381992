import type { FreezeRecord } from './freeze-scope.js';
import type { Inspected, MaintainedGuest } from './guest.js';
import type { ProbeReport } from './health.js';
import type { HostPatch } from './host-patch.js';
import { errorOf, type PatchRun } from './patching.js';
import { releasedAt } from './phases.js';
import type { MemoryProof } from './proof.js';
import type { Rebooted } from './reboot.js';

/**
 * 'done': what was asked for was done, and the new versions stay. 'aborted': the VMs run, and the old versions are
 * current: the deadline struck or time ran out, a patch failed, or VMs or probes were not well afterwards.
 */
export type MaintenanceResult = 'done' | 'aborted: budget' | 'aborted: patch' | 'aborted: health';

/** By the patches, as soon as the VMs run again. */
export function resultOfPatches(
  runs: readonly PatchRun[],
  lost: ReadonlySet<HostPatch>,
  records: readonly FreezeRecord[],
): MaintenanceResult {
  const codes = runs.map((run) => errorOf(run, lost, releasedAt(records))?.code);
  const ranOut = codes.includes('ERR_PATCH_BUDGET') || codes.includes('ERR_PATCH_ABANDONED');
  if (ranOut || records.some(({ resumedBy }) => resumedBy === 'deadline')) return 'aborted: budget';
  return codes.every((code) => code === undefined) ? 'done' : 'aborted: patch';
}

interface Seen {
  readonly plan: { readonly clockLagMsMax: number; readonly targets: readonly MaintainedGuest[] };
  readonly runs: readonly PatchRun[];
  readonly lost: ReadonlySet<HostPatch>;
  readonly records: readonly FreezeRecord[];
  readonly proofs: readonly { readonly proof: MemoryProof }[];
  readonly inspected: readonly Inspected[];
  readonly rebooted: readonly Rebooted[];
  readonly health: readonly ProbeReport[];
}

/** By all that was seen of the VMs too. */
export function resultOfVms(seen: Seen): MaintenanceResult {
  const result = resultOfPatches(seen.runs, seen.lost, seen.records);
  if (result !== 'done') return result;
  const { clockLagMsMax, targets } = seen.plan;
  const isWell =
    seen.health.every(({ ok }) => ok) &&
    seen.proofs.every(({ proof }) => proof.memory !== 'changed') &&
    seen.inspected.every(
      ({ check, ticker, problem }) => check?.ok !== false && ticker?.exact !== false && problem === null,
    ) &&
    seen.records.every((record) => !isClockOff(record, clockLagMsMax)) &&
    (seen.rebooted.length === 0 || targets.every(({ vm }) => vm.state !== 'faulted'));
  return isWell ? 'done' : 'aborted: health';
}

/** A clock that was stepped is right; one that is slewed, or left alone, is not yet. */
export const isClockOff = (record: FreezeRecord, lagMsMax: number): boolean =>
  record.wasRunning && record.syncedBy === 'step' && Math.abs(record.clockLagAfterNs) > lagMsMax * 1e6;
