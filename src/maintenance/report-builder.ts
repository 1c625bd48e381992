import type { StandstillError } from '../base/errors.js';
import type { ImpactClass } from '../components/manifest.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { AfterResume } from './after-resume.js';
import type { FreezeRecord } from './freeze-scope.js';
import type { ProbeReport } from './health.js';
import type { HostPatch } from './host-patch.js';
import type { NoticeReport } from './notice.js';
import type { MaintenancePlan } from './options.js';
import { errorOf, type PatchRun } from './patching.js';
import { allHaltedAt, blackoutOf, type Cuts, NO_PHASES, phasesOf, releasedAt } from './phases.js';
import { type MemoryProof, UNPROVEN } from './proof.js';
import type { Rebooted } from './reboot.js';
import {
  type MaintenanceReport,
  type PatchReport,
  problemsOf,
  REPORT_SCHEMA_VERSION,
  type UpdateReport,
  type VmReport,
} from './report.js';
import type { SecondImpactReport } from './second-impact.js';
import { notCommitted, type UpdateSession } from './update-session.js';
import { isClockOff, type MaintenanceResult } from './verdict.js';

/** Everything that was observed; the arrays are in the order of the plan's targets. */
export interface Observations {
  readonly plan: MaintenancePlan;
  readonly impact: ImpactClass;
  readonly result: MaintenanceResult;
  /** Empty, and without cuts, where there was no freeze. */
  readonly records: readonly FreezeRecord[];
  readonly cuts: Cuts | undefined;
  readonly proofs: readonly MemoryProof[];
  readonly rebooted: readonly Rebooted[];
  readonly runs: readonly PatchRun[];
  /** Patches whose worker was terminated and did not end. */
  readonly lost: ReadonlySet<HostPatch>;
  readonly inspected: readonly AfterResume[];
  readonly health: readonly ProbeReport[];
  readonly notice: NoticeReport | null;
  readonly update: UpdateSession | undefined;
  readonly second: SecondImpactReport | null;
}

export function buildReport(observed: Observations): MaintenanceReport {
  const { plan, records, runs, update } = observed;
  const firstRequestAtNs = earliest(records.map((record) => record.requestedAtNs));
  const resumedBy = records.some((record) => record.resumedBy === 'deadline') ? 'deadline' : 'caller';
  const report = {
    schemaVersion: REPORT_SCHEMA_VERSION,
    result: observed.result,
    impact: observed.impact,
    seed: plan.seed,
    budgetMs: plan.budgetMs,
    budgetKept: resumedBy === 'caller',
    resumedBy,
    proof: plan.proof,
    vms: [
      ...records.map((record, index) => vmReport(observed, record, index, firstRequestAtNs)),
      ...observed.rebooted.map((vm, index) => rebootReport(vm, observed.inspected[index])),
    ],
    patches: runs.map((run) => patchReport(observed, run, firstRequestAtNs)),
    update: update === undefined ? null : updateReport(observed, update),
    health: [...observed.health],
    notice: observed.notice,
    secondImpact: observed.second,
  } as const satisfies Omit<MaintenanceReport, 'ok' | 'problems'>;
  const problems = problemsOf(report);
  const { schemaVersion, ...rest } = report;
  return { schemaVersion, ok: problems.length === 0, problems, ...rest };
}

function vmReport(observed: Observations, record: FreezeRecord, index: number, firstRequestAtNs: bigint): VmReport {
  const { cuts, plan } = observed;
  return {
    ...vmFacts(record.name, plan.targets[index], observed.inspected[index]),
    wasRunning: record.wasRunning,
    ...(observed.proofs[index] ?? UNPROVEN),
    stepsBefore: record.stepsAtHalt,
    stepsAfter: record.stepsAtRelease,
    blackoutNs: blackoutOf(record),
    phases: cuts === undefined ? NO_PHASES : phasesOf(record, allHaltedAt(observed.records), cuts),
    requestedAfterNs: record.requestedAtNs === 0n ? 0 : Number(record.requestedAtNs - firstRequestAtNs),
    clockLagBeforeNs: record.clockLagBeforeNs,
    clockLagAfterNs: record.clockLagAfterNs,
    clockBracketNs: record.clockBracketNs,
    clockOff: isClockOff(record, plan.clockLagMsMax),
    rebooted: false,
    syncedBy: record.syncedBy,
    resumedBy: record.resumedBy,
  };
}

const vmFacts = (name: string, vm: EmulatedVm | undefined, after: AfterResume | undefined) => ({
  name,
  program: vm?.program ?? '',
  ramBytes: vm?.ramBytes ?? 0,
  invariantsOk: after?.check?.ok ?? null,
  violation: after?.check?.violation ?? null,
  ticker: after?.ticker ?? null,
});

/** A VM that was restarted: nothing of it was preserved, so nothing is compared. */
const rebootReport = ({ vm, wasRunning, downNs }: Rebooted, after: AfterResume | undefined): VmReport => ({
  ...vmFacts(vm.name, vm, after),
  // What its ticker felt before is gone with its memory.
  ticker: null,
  wasRunning,
  ...UNPROVEN,
  memory: 'lost',
  stepsBefore: 0,
  stepsAfter: 0,
  blackoutNs: wasRunning ? downNs : 0,
  phases: NO_PHASES,
  requestedAfterNs: 0,
  clockLagBeforeNs: 0,
  clockLagAfterNs: 0,
  clockBracketNs: 0,
  clockOff: false,
  rebooted: true,
  syncedBy: 'step',
  resumedBy: 'caller',
});

function patchReport(observed: Observations, run: PatchRun, firstRequestAtNs: bigint): PatchReport {
  const { patch, end, startedAtNs } = run;
  const { kind, bundle } = patch.planned;
  const failure = errorOf(run, observed.lost, releasedAt(observed.records));
  const isTakenBack = failure === undefined && kind !== 'module' && observed.update?.outcome === 'rolled-back';
  const error = isTakenBack ? notCommitted(`it was ${observed.result}`) : failure;
  return {
    name: patch.name,
    kind,
    impact: patch.impact,
    component: bundle === null ? null : { name: bundle.component, from: bundle.currentVersion ?? '', to: bundle.to },
    ok: error === undefined,
    status: statusOf(error),
    durationNs: end === undefined ? 0 : Number(end.endedAtNs - startedAtNs),
    startedAfterNs: end === undefined ? null : Number(startedAtNs - firstRequestAtNs),
    result: error === undefined && end?.resultJson !== undefined ? JSON.parse(end.resultJson) : null,
    error: error === undefined ? null : { code: error.code, message: error.message },
  };
}

function updateReport({ plan, impact }: Observations, { id, outcome, stagingNs }: UpdateSession): UpdateReport {
  const stagedInFreeze = impact === 'pause' && !plan.preStage;
  const savedNs = impact === 'pause' && plan.preStage ? stagingNs : 0;
  return { id, outcome: outcome ?? 'rolled-back', stagingNs, stagedInFreeze, savedNs };
}

function statusOf(error: StandstillError | undefined): PatchReport['status'] {
  switch (error?.code) {
    case undefined:
      return 'applied';
    case 'ERR_PATCH_ABANDONED':
      return 'abandoned';
    case 'ERR_PATCH_BUDGET':
      return 'cancelled';
    case 'ERR_PATCH_ROLLED_BACK':
      return 'rolled-back';
    case 'ERR_PATCH_SKIPPED':
      return 'skipped';
    default:
      return 'failed';
  }
}

const earliest = (stamps: readonly bigint[]): bigint => stamps.reduce((a, b) => (a !== 0n && a < b ? a : b), 0n);
