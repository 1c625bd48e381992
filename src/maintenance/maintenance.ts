import { onAbort, orAborted } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError } from '../base/errors.js';
import { NS_PER_MS } from '../base/units.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { MemoryDigest } from '../vm/vm.js';
import { inspectAfterResume } from './after-resume.js';
import type { MaintenanceEvent, MaintenancePhase } from './events.js';
import { FreezeScope } from './freeze-scope.js';
import type { MaintenancePlan } from './options.js';
import type { PatchPool, PatchSession } from './patch-pool.js';
import { locatePatch, type PatchSource } from './patch-source.js';
import { type PatchRun, runPatches } from './patching.js';
import { type Cuts, untilNow } from './phases.js';
import { digestOptions } from './proof.js';
import type { MaintenanceReport } from './report.js';
import { buildReport } from './report-builder.js';
import { type TickerBaseline, tickerBaseline } from './ticker-impact.js';

/**
 * The closing digest's time is estimated from the opening one's, with a margin for a noisy machine and for the event loop,
 * whose timers cancel the patches: a share of the budget, within bounds.
 */
const RESERVATION_FACTOR = 1.5;
const MARGIN_SHARE = 0.02;
const MARGIN_MS_MIN = 5;
const MARGIN_MS_MAX = 250;

/** One entry a VM, in the order of the plan's targets; undefined where the digest was not taken or discarded. */
type Digests = readonly (MemoryDigest | undefined)[];

interface Quiesced {
  readonly patches: readonly PatchSource[];
  readonly baselines: readonly (TickerBaseline | undefined)[];
}

interface Frozen {
  readonly cuts: Cuts;
  readonly opening: Digests;
  readonly closing: Digests;
  readonly runs: readonly PatchRun[];
}

/**
 * The operation, in its order: quiesce → freeze → digest at halt → patches → digest at release → release → clock sync →
 * check → report. `stop` ends it from outside, in any phase: the VMs run again and it rejects with the reason.
 */
export async function performMaintenance(
  plan: MaintenancePlan,
  pool: PatchPool,
  stop: AbortController,
): Promise<MaintenanceReport> {
  const emit = emitterOf(plan, stop);
  const session = pool.openSession();
  try {
    const quiesced = await quiesce(plan, session, stop.signal, emit);
    const result = await freeze(plan, quiesced, { session, pool, stop: stop.signal, emit });
    emit({ type: 'phase', phase: 'done' });
    stop.signal.throwIfAborted();
    return result;
  } catch (error) {
    // What was stopped fails in many ways; the reason is one.
    stop.signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

/** Everything that can be done while the guests still run: starting the worker and loading the patches above all. */
async function quiesce(
  plan: MaintenancePlan,
  session: PatchSession,
  stop: AbortSignal,
  emit: (event: MaintenanceEvent) => void,
): Promise<Quiesced> {
  stop.throwIfAborted();
  emit({ type: 'phase', phase: 'quiesce' });
  const patches = await Promise.all(plan.patches.map(locatePatch));
  for (const patch of patches) await session.load(patch, stop);
  const baselines = await Promise.all(plan.targets.map(tickerBaseline));
  stop.throwIfAborted();
  return { patches, baselines };
}

interface Surroundings {
  readonly session: PatchSession;
  readonly pool: PatchPool;
  readonly stop: AbortSignal;
  readonly emit: (event: MaintenanceEvent) => void;
}

async function freeze(plan: MaintenancePlan, quiesced: Quiesced, around: Surroundings): Promise<MaintenanceReport> {
  const { stop, session } = around;
  const phase = (name: MaintenancePhase) => around.emit({ type: 'phase', phase: name });
  phase('freeze');
  stop.throwIfAborted();
  let frozenScope: FreezeScope | undefined;
  using _release = onAbort(stop, () => frozenScope?.release());
  using scope = FreezeScope.begin(plan.targets, plan);
  frozenScope = scope;

  // What is in here is in the blackout: no more than must be.
  const frozen = await whileFrozen(scope, plan, quiesced.patches, around, phase);
  scope.release();
  phase('release');
  const lost = await reapWorkers(session, frozen.runs);
  stop.throwIfAborted();

  phase('clock-sync');
  await orAborted(scope.settled(), stop);
  phase('check');
  const inspected = await Promise.all(
    plan.targets.map((vm, index) => inspectAfterResume(vm, quiesced.baselines[index], plan.check, plan, stop)),
  );
  stop.throwIfAborted();
  const nowNs = monotonicNs();
  const records = scope.records().map((record) => untilNow(record, nowNs));
  return buildReport({ plan, records, ...frozen, lost, inspected });
}

async function whileFrozen(
  scope: FreezeScope,
  plan: MaintenancePlan,
  patches: readonly PatchSource[],
  { session, pool, stop, emit }: Surroundings,
  phase: (name: MaintenancePhase) => void,
): Promise<Frozen> {
  const beganAtNs = monotonicNs();
  phase('digest-at-halt');
  const opening = plan.proof === 'none' ? [] : await digestAll(plan.targets, plan);
  const openingDigestEndAtNs = plan.proof === 'none' ? beganAtNs : monotonicNs();
  stop.throwIfAborted();
  injectFaults(plan);

  const reservedNs = reservationNs(Number(openingDigestEndAtNs - beganAtNs), plan.budgetMs);
  const closes = plan.proof !== 'none' && reservedNs < scope.remainingNs;
  phase('patch');
  const runs =
    patches.length === 0
      ? []
      : await runPatches(session, patches, {
          stop,
          budgetNs: scope.remainingNs - (closes ? reservedNs : 0),
          graceMsMax: pool.limits.graceMs,
          released: () => scope.released,
          emit,
        });
  const patchesEndAtNs = monotonicNs();
  stop.throwIfAborted();

  phase('digest-at-release');
  const closing = closes && !scope.released ? await digestAll(plan.targets, plan) : [];
  const closingDigestEndAtNs = closes ? monotonicNs() : patchesEndAtNs;
  stop.throwIfAborted();
  const cuts = {
    openingDigestEndAtNs: plan.proof === 'none' ? undefined : openingDigestEndAtNs,
    patchesEndAtNs,
    closingDigestEndAtNs,
  };
  return { cuts, opening, closing, runs };
}

function reservationNs(openingDigestNs: number, budgetMs: number): number {
  const marginMs = Math.min(MARGIN_MS_MAX, Math.max(MARGIN_MS_MIN, budgetMs * MARGIN_SHARE));
  return openingDigestNs * RESERVATION_FACTOR + marginMs * NS_PER_MS;
}

function digestAll(vms: readonly EmulatedVm[], plan: MaintenancePlan): Promise<Digests> {
  const options = digestOptions(plan);
  return Promise.all(vms.map((vm) => vm.digest(options).catch(discardIfReleased)));
}

/** A guest that was released, or closed, while its memory was read leaves memory unproven; that is no failure. */
function discardIfReleased(error: unknown): undefined {
  const released =
    isStandstillError(error, 'ERR_LEASE_REVOKED') ||
    isStandstillError(error, 'ERR_VM_NOT_PAUSED') ||
    isStandstillError(error, 'ERR_VM_CLOSED');
  if (!released) throw error;
}

function injectFaults({ faults, targets }: MaintenancePlan): void {
  for (const fault of faults) targets.find((vm) => vm.name === fault.vm)?.flipBit(fault.gpa, fault.bit);
}

/** Of the patches whose worker was terminated, those whose worker did not end. The VMs run again by then. */
async function reapWorkers(session: PatchSession, runs: readonly PatchRun[]): Promise<ReadonlySet<PatchSource>> {
  const lost = new Set<PatchSource>();
  for (const { patch, end } of runs) {
    if (end !== undefined && (await session.reap(end))) lost.add(patch);
  }
  return lost;
}

function emitterOf(plan: MaintenancePlan, stop: AbortController): (event: MaintenanceEvent) => void {
  return (event) => {
    try {
      plan.onEvent?.(event);
    } catch (error) {
      stop.abort(error);
    }
  };
}
