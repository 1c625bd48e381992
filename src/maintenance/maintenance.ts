import { onAbort, orAborted } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import { inspectAfterResume } from './after-resume.js';
import type { MaintenanceEvent, MaintenancePhase } from './events.js';
import { FreezeScope } from './freeze-scope.js';
import type { AnnouncedImpact } from './notifier.js';
import type { MaintenancePlan } from './options.js';
import type { PatchPool, PatchSession } from './patch-pool.js';
import { locatePatch, type PatchSource } from './patch-source.js';
import { type PatchRun, runPatches } from './patching.js';
import { type Cuts, untilNow } from './phases.js';
import { type Prover, proverOf } from './prover.js';
import type { MaintenanceReport } from './report.js';
import { buildReport } from './report-builder.js';
import { type TickerBaseline, tickerBaseline } from './ticker-impact.js';

/** The time of a closing digest in the freeze is estimated from the opening one's. */
const RESERVATION_FACTOR = 1.5;
/** What is left to the event loop, whose timers cancel the patches: a share of the budget, within bounds. */
const MARGIN_SHARE = 0.02;
const MARGIN_MS_MIN = 5;
const MARGIN_MS_MAX = 250;

interface Quiesced {
  readonly patches: readonly PatchSource[];
  readonly baselines: readonly (TickerBaseline | undefined)[];
}

interface Frozen {
  readonly cuts: Cuts;
  readonly runs: readonly PatchRun[];
}

/**
 * The operation, in its order: notify → quiesce → freeze → digest at halt → patches → digest at release → release → clock sync →
 * digest behind the guests → check → report. `stop` ends it from outside, in any phase: the VMs run again and it rejects with the reason.
 */
export async function performMaintenance(
  plan: MaintenancePlan,
  pool: PatchPool,
  stop: AbortController,
): Promise<MaintenanceReport> {
  const emit = emitterOf(plan, stop);
  const session = pool.openSession();
  let impact: AnnouncedImpact | undefined;
  try {
    impact = await announced(plan, stop.signal, emit);
    await using prover = proverOf(plan, stop.signal);
    const around = { session, prover, pool, stop: stop.signal, emit, impact };
    const result = await freeze(plan, await quiesce(plan, around), around);
    emit({ type: 'phase', phase: 'done' });
    stop.signal.throwIfAborted();
    return result;
  } catch (error) {
    // What was stopped fails in many ways; the reason is one.
    stop.signal.throwIfAborted();
    throw error;
  } finally {
    impact?.ended();
    await session.close();
  }
}

/** Tells the guests, and waits until one of them has acknowledged or the notice has passed. */
async function announced(
  { notifier, targets }: MaintenancePlan,
  stop: AbortSignal,
  emit: (event: MaintenanceEvent) => void,
): Promise<AnnouncedImpact | undefined> {
  if (notifier === undefined) return undefined;
  stop.throwIfAborted();
  emit({ type: 'phase', phase: 'notify' });
  const vms = targets.map(({ name }) => name);
  const impact = notifier.announce({ vms, impact: 'pause', expectedSeconds: null });
  try {
    await impact.due(stop);
    return impact;
  } catch (error) {
    impact.cancelled();
    throw error;
  }
}

/** Everything that can be done while the guests still run: starting the worker and loading the patches above all. */
async function quiesce(plan: MaintenancePlan, { session, prover, stop, emit }: Surroundings): Promise<Quiesced> {
  stop.throwIfAborted();
  emit({ type: 'phase', phase: 'quiesce' });
  const patches = await Promise.all(plan.patches.map(locatePatch));
  for (const patch of patches) await session.load(patch, stop);
  const baselines = await Promise.all(plan.targets.map(tickerBaseline));
  await prover.prepare();
  stop.throwIfAborted();
  return { patches, baselines };
}

interface Surroundings {
  readonly session: PatchSession;
  readonly prover: Prover;
  readonly pool: PatchPool;
  readonly stop: AbortSignal;
  readonly emit: (event: MaintenanceEvent) => void;
  readonly impact: AnnouncedImpact | undefined;
}

async function freeze(plan: MaintenancePlan, quiesced: Quiesced, around: Surroundings): Promise<MaintenanceReport> {
  const { stop, session, prover } = around;
  const phase = (name: MaintenancePhase) => around.emit({ type: 'phase', phase: name });
  phase('freeze');
  stop.throwIfAborted();
  let frozenScope: FreezeScope | undefined;
  using _release = onAbort(stop, () => frozenScope?.release());
  around.impact?.started();
  using scope = FreezeScope.begin(plan.targets, plan, (records) => plan.journal('maintenance', records));
  frozenScope = scope;

  // What is in here is in the blackout: no more than must be.
  const frozen = await whileFrozen(scope, plan, quiesced.patches, around, phase);
  scope.release();
  around.impact?.ended();
  phase('release');
  const lost = await reapWorkers(session, frozen.runs);
  stop.throwIfAborted();

  phase('clock-sync');
  await orAborted(scope.settled(), stop);
  phase('digest-after-release');
  await prover.afterRelease();
  phase('check');
  const inspected = await Promise.all(
    plan.targets.map((vm, index) => inspectAfterResume(vm, quiesced.baselines[index], plan.check, plan, stop)),
  );
  stop.throwIfAborted();
  const nowNs = monotonicNs();
  const records = scope.records().map((record) => untilNow(record, nowNs));
  return buildReport({ plan, records, ...frozen, proofs: prover.proofs(), lost, inspected });
}

async function whileFrozen(
  scope: FreezeScope,
  plan: MaintenancePlan,
  patches: readonly PatchSource[],
  { session, prover, pool, stop, emit }: Surroundings,
  phase: (name: MaintenancePhase) => void,
): Promise<Frozen> {
  const beganAtNs = monotonicNs();
  phase('digest-at-halt');
  await prover.atHalt();
  const openingDigestEndAtNs = plan.proof === 'none' ? beganAtNs : monotonicNs();
  stop.throwIfAborted();
  injectFaults(plan);

  const marginNs = marginMs(plan.budgetMs) * NS_PER_MS;
  const openingNs = Number(openingDigestEndAtNs - beganAtNs);
  const closingNs = openingNs * RESERVATION_FACTOR * prover.releaseShare;
  const closes = closingNs + marginNs < scope.remainingNs;
  phase('patch');
  const runs =
    patches.length === 0
      ? []
      : await runPatches(session, patches, {
          stop,
          budgetNs: scope.remainingNs - marginNs - (closes ? closingNs : 0),
          graceMsMax: pool.limits.graceMs,
          released: () => scope.released,
          emit,
        });
  const patchesEndAtNs = monotonicNs();
  stop.throwIfAborted();

  phase('digest-at-release');
  if (closes && !scope.released) await prover.atRelease();
  const closingDigestEndAtNs = closingNs === 0 ? patchesEndAtNs : monotonicNs();
  stop.throwIfAborted();
  const cuts = {
    openingDigestEndAtNs: plan.proof === 'none' ? undefined : openingDigestEndAtNs,
    patchesEndAtNs,
    closingDigestEndAtNs,
  };
  return { cuts, runs };
}

const marginMs = (budgetMs: number): number =>
  Math.min(MARGIN_MS_MAX, Math.max(MARGIN_MS_MIN, budgetMs * MARGIN_SHARE));

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
