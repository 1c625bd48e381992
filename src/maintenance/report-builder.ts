import type { StandstillError } from '../base/errors.js';
import type { ImpactClass } from '../components/manifest.js';
import type { FreezeRecord } from './freeze-scope.js';
import type { Inspected, MaintainedGuest } from './guest.js';
import type { ProbeReport } from './health.js';
import type { HostPatch } from './host-patch.js';
import type { NoticeReport } from './notice.js';
import type { MaintenancePlan } from './options.js';
import { errorOf, type PatchRun } from './patching.js';
import { allHaltedAt, blackoutOf, type Cuts, NO_PHASES, phasesOf, releasedAt } from './phases.js';
import { type MemoryProof, type Proof, UNPROVEN } from './proof.js';
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
  readonly proofs: readonly { readonly how: Proof; readonly proof: MemoryProof }[];
  readonly rebooted: readonly Rebooted[];
  readonly runs: readonly PatchRun[];
  /** Patches whose worker was terminated and did not end. */
  readonly lost: ReadonlySet<HostPatch>;
  readonly inspected: readonly Inspected[];
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
    vms: plan.targets.flatMap((guest, index) => vmReport(observed, guest, index, firstRequestAtNs) ?? []),
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

/** Undefined of a VM that was not impacted. */
function vmReport(
  observed: Observations,
  guest: MaintainedGuest,
  index: number,
  firstRequestAtNs: bigint,
): VmReport | undefined {
  const after = observed.inspected[index];
  const record = observed.records[index];
  if (record !== undefined) {
    const { how, proof } = observed.proofs[index] ?? { how: 'none', proof: UNPROVEN };
    return { ...factsOf(guest, after), proof: how, ...proof, ...frozenOf(observed, guest, record, firstRequestAtNs) };
  }
  const rebooted = observed.rebooted[index];
  return rebooted === undefined ? undefined : rebootReport(guest, rebooted, after);
}

const frozenOf = (observed: Observations, guest: MaintainedGuest, record: FreezeRecord, firstRequestAtNs: bigint) => ({
  ...guest.measured(record),
  wasRunning: record.wasRunning,
  blackoutNs: blackoutOf(record),
  phases: observed.cuts === undefined ? NO_PHASES : phasesOf(record, allHaltedAt(observed.records), observed.cuts),
  requestedAfterNs: record.requestedAtNs === 0n ? 0 : Number(record.requestedAtNs - firstRequestAtNs),
  clockOff: isClockOff(record, observed.plan.clockLagMsMax),
  rebooted: false,
  resumedBy: record.resumedBy,
});

const factsOf = ({ vm }: MaintainedGuest, after: Inspected | undefined) => ({
  name: vm.name,
  kind: vm.kind,
  program: vm.program,
  ramBytes: vm.ramBytes,
  clocks: vm.clocks,
  invariantsOk: after?.check?.ok ?? null,
  violation: after?.check?.violation ?? null,
  problem: after?.problem ?? null,
  ticker: after?.ticker ?? null,
  process: after?.process ?? null,
});

/** A VM that was restarted: nothing of it was preserved, so nothing is compared. */
const rebootReport = (
  guest: MaintainedGuest,
  { wasRunning, downNs }: Rebooted,
  after: Inspected | undefined,
): VmReport => ({
  ...factsOf(guest, after),
  ...guest.measured(undefined),
  // What its ticker felt before is gone with its memory.
  ticker: null,
  wasRunning,
  proof: 'none',
  ...UNPROVEN,
  memory: 'lost',
  blackoutNs: wasRunning ? downNs : 0,
  phases: NO_PHASES,
  requestedAfterNs: 0,
  clockOff: false,
  rebooted: true,
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
