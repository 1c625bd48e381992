import { monotonicNs } from '../base/clock.js';
import { StandstillError } from '../base/errors.js';
import { NS_PER_MS } from '../base/units.js';
import type { MaintenanceEvent } from './events.js';
import type { HostPatch } from './host-patch.js';
import type { PatchProgress } from './patch-module.js';
import type { PatchSession } from './patch-pool.js';
import type { TaskEnd } from './patch-task.js';

/** A patch that was started, and how it ended; `end` is undefined for one that was skipped. */
export interface PatchRun {
  readonly patch: HostPatch;
  readonly startedAtNs: bigint;
  readonly end: TaskEnd | undefined;
}

export interface PatchingControl {
  /** Aborted where the whole maintenance is to stop. */
  readonly stop: AbortSignal;
  /** All patches together, the grace of a cancelled one included. */
  readonly budgetNs: number;
  readonly graceMsMax: number;
  /** True once the VMs run again: nothing is started any more. */
  readonly released: () => boolean;
  /** Of the freeze; null where there is none. */
  readonly generation: number | null;
  readonly emit: (event: MaintenanceEvent) => void;
}

/** At most this share of what is left for the patches goes to the grace of a cancelled one. */
const GRACE_SHARE_MAX = 0.25;

/** Runs the patches in order, until one fails or their budget has run out; the rest is skipped. */
export async function runPatches(patches: readonly HostPatch[], control: PatchingControl): Promise<PatchRun[]> {
  const budgetMs = Math.max(0, control.budgetNs / NS_PER_MS);
  const graceMs = Math.min(control.graceMsMax, budgetMs * GRACE_SHARE_MAX);
  const outOfBudget = new AbortController();
  const timer = setTimeout(() => outOfBudget.abort(budgetError()), budgetMs - graceMs);
  const cancel = AbortSignal.any([control.stop, outOfBudget.signal]);
  try {
    const runs: PatchRun[] = [];
    for (const patch of patches) {
      const startedAtNs = monotonicNs();
      const blocked = cancel.aborted || control.released() || runs.some((run) => run.end?.error !== undefined);
      const onProgress = (progress: PatchProgress) =>
        control.emit({ type: 'patch-progress', patch: patch.name, ...progress });
      const end = blocked ? undefined : await patch.run(control.generation, { cancel, graceMs, onProgress });
      runs.push({ patch, startedAtNs, end });
      if (end === undefined) continue;
      const durationNs = Number(end.endedAtNs - startedAtNs);
      control.emit({ type: 'patch-end', patch: patch.name, ok: end.error === undefined, durationNs });
    }
    return runs;
  } finally {
    clearTimeout(timer);
  }
}

/** One that is not started. */
export const skipped = (patch: HostPatch): PatchRun => ({ patch, startedAtNs: monotonicNs(), end: undefined });

/** Of the patches whose worker was terminated, those whose worker did not end. The VMs run again by then. */
export async function reapWorkers(session: PatchSession, runs: readonly PatchRun[]): Promise<ReadonlySet<HostPatch>> {
  const lost = new Set<HostPatch>();
  for (const { patch, end } of runs) {
    if (end !== undefined && (await session.reap(end))) lost.add(patch);
  }
  return lost;
}

/** Why a patch does not count, once the freeze of these records is over; undefined where it does. */
export function errorOf(
  { patch, end }: PatchRun,
  lost: ReadonlySet<HostPatch>,
  releasedAtNs: bigint,
): StandstillError | undefined {
  if (end === undefined) {
    const message = 'not run: a patch before it failed, or the VMs had been released';
    return new StandstillError('ERR_PATCH_SKIPPED', message);
  }
  if (lost.has(patch)) return abandonedError(end.error);
  const isLate = patch.impact !== 'none' && releasedAtNs !== 0n && end.endedAtNs > releasedAtNs;
  return end.error ?? (isLate ? outlivedError() : undefined);
}

const abandonedError = (cause: StandstillError | undefined) =>
  new StandstillError(
    'ERR_PATCH_ABANDONED',
    `Expected the worker to end within its grace but it is blocked in native code (${cause?.message ?? 'terminated'})`,
  );

const outlivedError = () =>
  new StandstillError('ERR_PATCH_BUDGET', 'Expected the patch to be done before the VMs were released but it was not');

const budgetError = () =>
  new StandstillError('ERR_PATCH_BUDGET', 'Expected the patch to be done within the budget but it was cancelled');
