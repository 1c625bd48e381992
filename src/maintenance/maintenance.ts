import { onAbort, orAborted } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import { StandstillError } from '../base/errors.js';
import type { ImpactClass } from '../components/manifest.js';
import type { MaintenanceEvent, MaintenancePhase } from './events.js';
import { FreezeScope } from './freeze-scope.js';
import { type ProbeReport, runGuarded } from './health.js';
import { type HostPatch, hostPatchOf } from './host-patch.js';
import { Notice } from './notice.js';
import type { MaintenancePlan } from './options.js';
import type { PatchPool } from './patch-pool.js';
import { type PatchRun, reapWorkers, runPatches, skipped } from './patching.js';
import { untilNow } from './phases.js';
import { assertQualifies, type Candidate, type PlannedMaintenance, planPatches } from './plan.js';
import { Provers } from './prover.js';
import { type Rebooted, restart, shutDownAll } from './reboot.js';
import type { MaintenanceReport } from './report.js';
import { buildReport, type Observations } from './report-builder.js';
import { secondImpact } from './second-impact.js';
import { controlOf, type Surroundings } from './surroundings.js';
import { UpdateSession } from './update-session.js';
import { resultOfPatches, resultOfVms } from './verdict.js';
import { whileFrozen } from './while-frozen.js';

/** What was seen while the VMs did not run. */
type Impact = Pick<Observations, 'records' | 'cuts' | 'runs' | 'lost' | 'rebooted'> & {
  readonly generation: number | null;
};

/**
 * The operation, in its order: plan → notify → pre-stage → quiesce → freeze → digest at halt → switch → digest at release →
 * release → clock sync → digest behind the guests → health → commit → report. `stop` ends it from outside, in any phase:
 * the VMs run again, what was not committed is taken back, and it rejects with the reason.
 */
export async function performMaintenance(
  plan: MaintenancePlan,
  pool: PatchPool,
  stop: AbortController,
): Promise<MaintenanceReport> {
  const emit = emitterOf(plan, stop);
  const phase = (name: MaintenancePhase) => emit({ type: 'phase', phase: name });
  try {
    stop.signal.throwIfAborted();
    const { plan: planned, candidates } = await planPatches(plan.patches, plan.context);
    assertQualifies(planned);
    await using session = pool.openSession();
    await using update = updateOf(plan, candidates, pool);
    await using provers = new Provers(plan.targets.map((guest) => guest.prover(plan, stop.signal)));
    const impact = plan.targets.length === 0 ? 'none' : planned.impact;
    using notice = Notice.announce(plan.notifier, impact, namesOf(plan), expectedSeconds(impact, planned));
    const patches = candidates.map((candidate) => hostPatchOf(candidate, session, update));
    const isFree = (patch: HostPatch) => impact === 'none' || patch.impact === 'none';
    const report = await perform(
      impact,
      {
        ...{ plan, pool, session, provers, update, notice, stop: stop.signal, phase, emit },
        freePatches: patches.filter(isFree),
        patches: patches.filter((patch) => !isFree(patch)),
      },
      candidates,
    );
    phase('done');
    stop.signal.throwIfAborted();
    return report;
  } catch (error) {
    // What was stopped fails in many ways; the reason is one.
    stop.signal.throwIfAborted();
    throw error;
  }
}

async function perform(
  impact: ImpactClass,
  around: Surroundings,
  candidates: readonly Candidate[],
): Promise<MaintenanceReport> {
  const { plan, session, update, notice, provers, stop, phase } = around;
  if (notice !== undefined) phase('notify');
  const stagesBefore = plan.preStage || impact !== 'pause';
  if (update !== undefined) {
    phase('pre-stage');
    await update.open(stop);
    if (stagesBefore) await stage(around);
  }
  await notice?.due(stop);
  phase('quiesce');
  for (const { source } of candidates) if (source !== undefined) await session.load(source, stop);
  const freeRuns = await runPatches(around.freePatches, controlOf(around, null));
  const goesOn = freeRuns.every(({ end }) => end !== undefined && end.error === undefined);
  const pending = goesOn && impact !== 'none';
  if (!pending)
    return await conclude(around, impact, {
      ...NO_IMPACT,
      runs: [...freeRuns, ...around.patches.map(skipped)],
      lost: await reapWorkers(session, freeRuns),
    });
  await Promise.all(plan.targets.map((guest) => guest.observe()));
  if (impact === 'pause') await provers.prepare();
  await beforeFreeze(around);
  stop.throwIfAborted();
  notice?.started();
  if (impact === 'reboot') return await conclude(around, impact, await reboot(around, freeRuns));
  return await pause(around, freeRuns, stagesBefore);
}

/** The freeze. Its scope is left only at the end, since a commit asks for how it ended. */
async function pause(
  around: Surroundings,
  freeRuns: readonly PatchRun[],
  isStaged: boolean,
): Promise<MaintenanceReport> {
  const { plan, session, update, stop, phase } = around;
  phase('freeze');
  stop.throwIfAborted();
  let frozenScope: FreezeScope | undefined;
  using _release = onAbort(stop, () => frozenScope?.release());
  const vms = plan.targets.map(({ vm }) => vm);
  using scope = FreezeScope.begin(vms, plan, (records) => plan.journal('maintenance', records));
  frozenScope = scope;

  // What is in here is in the blackout: no more than must be.
  const { cuts, runs: frozenRuns } = await whileFrozen(scope, around, isStaged ? undefined : () => stage(around));
  scope.release();
  phase('release');
  const runs = [...freeRuns, ...frozenRuns];
  const lost = await reapWorkers(session, runs);
  const records = scope.records();
  // The VMs run; what did not go well is taken back at once.
  const result = resultOfPatches(runs, lost, records);
  if (result !== 'done') await update?.rollBack(result);
  stop.throwIfAborted();

  phase('clock-sync');
  await orAborted(scope.settled(), stop);
  const nowNs = monotonicNs();
  const settled = scope.records().map((record) => untilNow(record, nowNs));
  const generation = scope.generation;
  return await conclude(around, 'pause', { cuts, runs, lost, records: settled, rebooted: [], generation });
}

/** Shuts the VMs down, applies what needs that, and starts them again: their memory is lost. */
async function reboot(around: Surroundings, freeRuns: readonly PatchRun[]): Promise<Impact> {
  const { plan, session, update, phase } = around;
  const bootables = await Promise.all(plan.targets.map((guest) => guest.bootable()));
  phase('shut-down');
  const down = await shutDownAll(bootables, plan.handshakeTimeoutMs);
  let rebooted: readonly Rebooted[];
  let runs: readonly PatchRun[];
  try {
    phase('patch');
    runs = [...freeRuns, ...(await runPatches(around.patches, controlOf(around, null)))];
  } finally {
    phase('restart');
    rebooted = await Promise.all(down.map((each) => restart(each, (records) => plan.journal('maintenance', records))));
  }
  const lost = await reapWorkers(session, runs);
  const result = resultOfPatches(runs, lost, []);
  if (result !== 'done') await update?.rollBack(result);
  return { ...NO_IMPACT, runs, lost, rebooted };
}

const NO_IMPACT = { records: [], cuts: undefined, rebooted: [], generation: null } as const;

/** Behind the running VMs: are they well, and so, are the new versions kept? */
async function conclude(around: Surroundings, impact: ImpactClass, seen: Impact): Promise<MaintenanceReport> {
  const { plan, update, notice, provers, stop, phase } = around;
  if (impact === 'pause') {
    phase('digest-after-release');
    await provers.afterRelease();
  }
  phase('check');
  const looksInside = impact === 'none' ? [] : plan.targets;
  const inspected = await Promise.all(looksInside.map((guest) => guest.inspect(plan, stop)));
  if (plan.secondImpact === undefined) notice?.ended();
  const health = await askForHealth(around, impact);
  stop.throwIfAborted();
  const observed = {
    ...{ plan, impact, inspected, health, notice: notice?.report ?? null },
    ...seen,
    proofs: impact === 'pause' ? provers.proofs() : [],
  };
  const result = resultOfVms(observed);
  const end = result === 'done' ? await commit(around, seen.generation) : result;
  if (end !== 'done') await update?.rollBack(end);
  const second = end === 'done' && impact === 'pause' ? await secondImpact(plan, stop) : null;
  return buildReport({ ...observed, result: end, update, second });
}

async function commit(
  { update, phase }: Surroundings,
  generation: number | null,
): Promise<MaintenanceReport['result']> {
  if (update === undefined) return 'done';
  phase('commit');
  const error = await update.commit(generation);
  if (error === undefined) return 'done';
  if (error.code === 'ERR_PATCH_BUDGET') return 'aborted: budget';
  throw error;
}

async function askForHealth({ plan, update, stop }: Surroundings, impact: ImpactClass): Promise<ProbeReport[]> {
  const { onAfterResume, hookTimeoutMs: timeoutMs } = plan;
  const hook = { name: 'onAfterResume', kind: 'hook', timeoutMs } as const;
  const hooks = onAfterResume === undefined || impact === 'none' ? [] : [{ ...hook, run: onAfterResume }];
  const probes = plan.probes.map(({ probe, ...rest }) => ({ ...rest, kind: 'probe', run: probe }) as const);
  const reports: ProbeReport[] = [];
  for (const guarded of hooks) reports.push(await runGuarded(guarded, namesOf(plan), stop));
  reports.push(...(await Promise.all(probes.map((guarded) => runGuarded(guarded, namesOf(plan), stop)))));
  if (update === undefined || update.outcome !== undefined) return reports;
  const beganAtNs = monotonicNs();
  const error = await update.check(stop);
  const durationNs = Number(monotonicNs() - beganAtNs);
  return [
    ...reports,
    {
      name: 'components',
      ok: error === undefined,
      durationNs,
      error: error === undefined ? null : { code: error.code, message: error.message },
    },
  ];
}

async function beforeFreeze({ plan, stop }: Surroundings): Promise<void> {
  const { onBeforeFreeze: run, hookTimeoutMs: timeoutMs } = plan;
  if (run === undefined) return;
  const { error } = await runGuarded({ name: 'onBeforeFreeze', kind: 'hook', timeoutMs, run }, namesOf(plan), stop);
  if (error !== null) throw new StandstillError(error.code, error.message);
}

async function stage({ update, emit, stop }: Surroundings): Promise<void> {
  await update?.stage(stop, (progress) => emit({ type: 'patch-progress', patch: 'staging', ...progress }));
}

function updateOf(plan: MaintenancePlan, candidates: readonly Candidate[], pool: PatchPool): UpdateSession | undefined {
  const bundles = candidates.flatMap(({ bundle }) => (bundle === undefined ? [] : [bundle]));
  if (bundles.length === 0) return undefined;
  return new UpdateSession(plan.context.store.root, bundles, plan.context.trustedKeys, pool.limits);
}

const namesOf = ({ targets }: MaintenancePlan): string[] => targets.map(({ vm }) => vm.name);

/** Unknown where a module or a rollback is among the patches, or memory is to be read, of which nobody knows how long it takes. */
function expectedSeconds(impact: ImpactClass, { patches, expectedBlackoutMs }: PlannedMaintenance): number | null {
  if (impact !== 'pause' || patches.some(({ kind }) => kind !== 'bundle') || patches.length === 0) return null;
  return Math.ceil(expectedBlackoutMs / 1000);
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
