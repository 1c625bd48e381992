import { StandstillError } from '../base/errors.js';
import type { EmulatedVm } from '../vm/emulated-vm.js';
import type { AfterResume } from './after-resume.js';
import type { FreezeRecord } from './freeze-scope.js';
import type { MaintenancePlan } from './options.js';
import type { PatchSource } from './patch-source.js';
import type { PatchRun } from './patching.js';
import { allHaltedAt, blackoutOf, type Cuts, phasesOf } from './phases.js';
import { type MemoryProof, UNPROVEN } from './proof.js';
import {
  type MaintenanceReport,
  type PatchReport,
  problemsOf,
  REPORT_SCHEMA_VERSION,
  type VmReport,
} from './report.js';

/** Everything that was observed; the arrays are in the order of the plan's targets. */
export interface Observations {
  readonly plan: MaintenancePlan;
  readonly records: readonly FreezeRecord[];
  readonly cuts: Cuts;
  readonly proofs: readonly MemoryProof[];
  readonly runs: readonly PatchRun[];
  /** Patches whose worker was terminated and did not end. */
  readonly lost: ReadonlySet<PatchSource>;
  readonly inspected: readonly AfterResume[];
}

export function buildReport(observed: Observations): MaintenanceReport {
  const { plan, records, runs, lost } = observed;
  const firstRequestAtNs = earliest(records.map((record) => record.requestedAtNs));
  const releasedAtNs = earliest(records.map((record) => record.releasedAtNs).filter((atNs) => atNs !== 0n));
  const resumedBy = records.some((record) => record.resumedBy === 'deadline') ? 'deadline' : 'caller';
  const report = {
    schemaVersion: REPORT_SCHEMA_VERSION,
    seed: plan.seed,
    budgetMs: plan.budgetMs,
    budgetKept: resumedBy === 'caller',
    resumedBy,
    proof: plan.proof,
    vms: records.map((record, index) => vmReport(observed, record, index, firstRequestAtNs)),
    patches: runs.map((run) => patchReport(run, lost.has(run.patch), firstRequestAtNs, releasedAtNs)),
  } as const satisfies Omit<MaintenanceReport, 'ok' | 'problems'>;
  const problems = problemsOf(report);
  const { schemaVersion, ...rest } = report;
  return { schemaVersion, ok: problems.length === 0, problems, ...rest };
}

function vmReport(observed: Observations, record: FreezeRecord, index: number, firstRequestAtNs: bigint): VmReport {
  const vm: EmulatedVm | undefined = observed.plan.targets[index];
  const after: AfterResume | undefined = observed.inspected[index];
  return {
    name: record.name,
    program: vm?.program ?? '',
    ramBytes: vm?.ramBytes ?? 0,
    wasRunning: record.wasRunning,
    ...(observed.proofs[index] ?? UNPROVEN),
    stepsBefore: record.stepsAtHalt,
    stepsAfter: record.stepsAtRelease,
    invariantsOk: after?.check?.ok ?? null,
    violation: after?.check?.violation ?? null,
    blackoutNs: blackoutOf(record),
    phases: phasesOf(record, allHaltedAt(observed.records), observed.cuts),
    requestedAfterNs: record.requestedAtNs === 0n ? 0 : Number(record.requestedAtNs - firstRequestAtNs),
    clockLagBeforeNs: record.clockLagBeforeNs,
    clockLagAfterNs: record.clockLagAfterNs,
    syncedBy: record.syncedBy,
    resumedBy: record.resumedBy,
    ticker: after?.ticker ?? null,
  };
}

function patchReport(run: PatchRun, isLost: boolean, firstRequestAtNs: bigint, releasedAtNs: bigint): PatchReport {
  const { patch, end, startedAtNs } = run;
  if (end === undefined) {
    const message = 'not run: a patch before it failed, or the VMs had been released';
    const error = { code: 'ERR_PATCH_SKIPPED', message } as const;
    return { name: patch.name, ok: false, status: 'skipped', durationNs: 0, startedAfterNs: null, result: null, error };
  }
  const outlived = end.error === undefined && releasedAtNs !== 0n && end.endedAtNs > releasedAtNs;
  const error = isLost ? abandonedError(end.error) : outlived ? outlivedError() : end.error;
  return {
    name: patch.name,
    ok: error === undefined,
    status: statusOf(error),
    durationNs: Number(end.endedAtNs - startedAtNs),
    startedAfterNs: Number(startedAtNs - firstRequestAtNs),
    result: error === undefined && end.resultJson !== undefined ? JSON.parse(end.resultJson) : null,
    error: error === undefined ? null : { code: error.code, message: error.message },
  };
}

function statusOf(error: StandstillError | undefined): PatchReport['status'] {
  if (error === undefined) return 'applied';
  if (error.code === 'ERR_PATCH_ABANDONED') return 'abandoned';
  return error.code === 'ERR_PATCH_BUDGET' ? 'cancelled' : 'failed';
}

const abandonedError = (cause: StandstillError | undefined) =>
  new StandstillError(
    'ERR_PATCH_ABANDONED',
    `Expected the worker to end within its grace but it is blocked in native code (${cause?.message ?? 'terminated'})`,
  );

const outlivedError = () =>
  new StandstillError('ERR_PATCH_BUDGET', 'Expected the patch to be done before the VMs were released but it was not');

const earliest = (stamps: readonly bigint[]): bigint => stamps.reduce((a, b) => (a !== 0n && a < b ? a : b), 0n);
