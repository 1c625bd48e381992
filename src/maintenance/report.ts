import type { ErrorCode } from '../base/error-codes.js';
import { counted } from '../base/units.js';
import type { ImpactClass } from '../components/manifest.js';
import type { ResumedBy, SyncMode } from '../native/contract.js';
import type { ProcessEnding } from '../process/guest.js';
import type { LogLine } from '../process/log-tail.js';
import { describeDifference } from '../process/memory-image.js';
import type { ChosenFreezer } from '../process/supervisor.js';
import type { ClockGuarantees } from '../vm/guarantees.js';
import type { GuestKindName } from '../vm/guest-kind.js';
import type { ProbeReport } from './health.js';
import type { NoticeReport } from './notice.js';
import type { Phases } from './phases.js';
import type { MemoryProof, Proof } from './proof.js';
import type { SecondImpactReport } from './second-impact.js';
import type { UpdateOutcome } from './update-session.js';
import type { MaintenanceResult } from './verdict.js';

/** Of `MaintenanceReport`; another one where a key changes its meaning. */
export const REPORT_SCHEMA_VERSION = 1;

/**
 * What a maintenance did, as one JSON shape: no BigInt, no function, no undefined. Durations are nanoseconds on the
 * monotonic clock. Keys may be added; none changes its meaning without another `schemaVersion`.
 */
export interface MaintenanceReport {
  schemaVersion: typeof REPORT_SCHEMA_VERSION;
  /** Memory preserved, invariants and clocks right, every patch applied, budget kept. */
  ok: boolean;
  /** Why it is not ok, a sentence each. */
  problems: string[];
  /** How it ended. */
  result: MaintenanceResult;
  /** What it did to the VMs. */
  impact: ImpactClass;
  /** Chooses the pages of a sampled proof. */
  seed: number;
  budgetMs: number;
  /** False where the deadline had to release the VMs. */
  budgetKept: boolean;
  /** Who released the VMs: the operation itself, or the engine's deadline. */
  resumedBy: ResumedBy;
  proof: Proof;
  vms: VmReport[];
  patches: PatchReport[];
  /** The update of the host's components; null where there was no bundle. */
  update: UpdateReport | null;
  /** What hooks and probes said after the resume, and whether the new components are whole. */
  health: ProbeReport[];
  /** How guests were told; null where they were not. */
  notice: NoticeReport | null;
  /** The freeze that followed; null where none was asked for, or the maintenance was aborted before. */
  secondImpact: SecondImpactReport | null;
}

/** All bundles of a maintenance together. */
export interface UpdateReport {
  /** Its name in the journal of the component store. */
  id: string;
  outcome: UpdateOutcome;
  /** Extracting, verifying and placing the new versions. */
  stagingNs: number;
  /** True where that was done inside the blackout. */
  stagedInFreeze: boolean;
  /** What staging before the freeze has spared the VMs of blackout. */
  savedNs: number;
}

/** What a maintenance was to one VM. */
export interface VmReport extends MemoryProof {
  name: string;
  /** What stands behind it. Fields that its kind of guest cannot fill are null. */
  kind: GuestKindName;
  program: string;
  /** Of a process: what is resident of it at the end. */
  ramBytes: number;
  /** How its memory was proved: a process, in full or not at all. */
  proof: Proof;
  /** Which promises about clocks hold for its kind of guest, and which do not. */
  clocks: ClockGuarantees;
  /** False for a VM that stood still before and was left so: it had no blackout. */
  wasRunning: boolean;
  /** Steps at the halt and at the release: equal, for a halted guest takes none. Null for a process. */
  stepsBefore: number | null;
  stepsAfter: number | null;
  /** What `check()` said after the resume; null where it was not asked for or could not be run. */
  invariantsOk: boolean | null;
  /** What does not hold; null where all does. */
  violation: string | null;
  /** What is wrong with a process itself, that it has ended for instance; null where nothing is. */
  problem: string | null;
  /** From the guest's own halt stamp to its own resume stamp. */
  blackoutNs: number;
  phases: Phases;
  /** From the freeze's first request to this VM's. */
  requestedAfterNs: number;
  /** Host wall clock − guest wall clock, just before and after the synchronisation. Null for a process: its clock is the host's. */
  clockLagBeforeNs: number | null;
  clockLagAfterNs: number | null;
  /** How closely the host's clocks were read together for that: a stepped clock lags by no more. */
  clockBracketNs: number | null;
  /** True where it was stepped and is further off than it may be. */
  clockOff: boolean;
  /** True for a VM that was shut down and started again: its blackout is the time between, its memory is lost. */
  rebooted: boolean;
  /** How the clock was synchronised: 'slew' where a step would have gone backward. Null for a process. */
  syncedBy: SyncMode | null;
  resumedBy: ResumedBy | null;
  /** What a guest that reads its clock felt; null for one that does not. */
  ticker: TickerImpact | null;
  /** What only a process has; null for an emulated guest. */
  process: ProcessReport | null;
}

/** A process guest and its tree, as it is at the end. */
export interface ProcessReport {
  /** By what it is frozen, and why so. */
  freezer: ChosenFreezer;
  /** Of the command. */
  pid: number;
  processes: number;
  threads: number;
  /** The command has ended and left descendants, which are the guest since. */
  daemonised: boolean;
  /** Descendants that somebody has moved out of the group: no freeze reaches them. */
  outsideGroup: number;
  /** How often it was started again by its policy. */
  restarts: number;
  /** How it ended; null where it lives. */
  ending: ProcessEnding | null;
  /** The end of what it wrote. */
  log: LogLine[];
}

/** One freeze as its guest felt it, in nanoseconds. */
export interface TickerImpact {
  /** Greatest gap between two ticks by the guest's own clock: the freeze is not in it. */
  guestGapMaxNs: number;
  /** Greatest gap between two ticks by the host's clock: the impact. */
  trueGapMaxNs: number;
  /** Greatest step of the guest's wall clock: the synchronisation. */
  wallJumpMaxNs: number;
  /** Time that the ticker did not see, and pauses that the clock page hid, since before the freeze: equal to the nanosecond. */
  hiddenNs: number;
  pausedNs: number;
  /** Whether those two are equal; null where the guest did not tick around the freeze, so that it says nothing. */
  exact: boolean | null;
}

/** 'rolled-back': applied, and taken back. 'applied': done. 'failed': its own fault. 'cancelled': the budget ran out. 'abandoned': cancelled, and still alive. */
export type PatchStatus = 'applied' | 'rolled-back' | 'failed' | 'cancelled' | 'abandoned' | 'skipped';

/** What became of one patch. */
export interface PatchReport {
  name: string;
  kind: 'module' | 'bundle' | 'rollback';
  impact: ImpactClass;
  /** Of a bundle and of a rollback: what it was to change. Null for a module. */
  component: { name: string; from: string; to: string } | null;
  ok: boolean;
  status: PatchStatus;
  durationNs: number;
  /** From the freeze's first request to the start of the patch; null where it was skipped. */
  startedAfterNs: number | null;
  /** What the patch returned, as JSON; null where it returned nothing. */
  result: unknown;
  error: { code: ErrorCode; message: string } | null;
}

/** The sentences that keep a maintenance from being ok. */
export function problemsOf(report: Omit<MaintenanceReport, 'ok' | 'problems'>): string[] {
  const problems = report.vms.flatMap((vm) => vmProblems(vm).map((problem) => `${vm.name}: ${problem}`));
  for (const { ok, error } of report.health) if (!ok && error !== null) problems.push(error.message);
  if (!report.budgetKept) {
    problems.push(`the deadline of ${report.budgetMs} ms released the VMs before the maintenance was done`);
  }
  for (const patch of report.patches) {
    if (patch.error !== null) problems.push(`patch ${patch.name} ${patch.status}: ${patch.error.message}`);
  }
  return problems;
}

function vmProblems(vm: VmReport): string[] {
  const problems: string[] = [];
  if (vm.memory === 'changed') problems.push(changedProblem(vm));
  if (vm.memory === 'unproven')
    problems.push(`memory is unproven${vm.unprovenReason === null ? '' : `: ${vm.unprovenReason}`}`);
  if (vm.problem !== null) problems.push(vm.problem);
  if (vm.clockOff) problems.push(`its clock is off by ${vm.clockLagAfterNs} ns after the synchronisation`);
  const steps = (vm.stepsAfter ?? 0) - (vm.stepsBefore ?? 0);
  if (steps !== 0) problems.push(`took ${steps} steps while frozen`);
  if (vm.invariantsOk === false) problems.push(`guest invariant violated: ${vm.violation}`);
  if (vm.ticker?.exact === false) {
    problems.push(`the guest's clock hid ${vm.ticker.hiddenNs} ns, its pauses were ${vm.ticker.pausedNs} ns`);
  }
  return problems;
}

function changedProblem({ changedPages, difference }: VmReport): string {
  if (difference !== null) return `memory changed: ${describeDifference(difference)}`;
  if (changedPages === null) return 'memory changed';
  const { count, firstPage, firstGpa } = changedPages;
  return `memory changed in ${counted(count, 'page')}, first page ${firstPage} (0x${firstGpa.toString(16)})`;
}
