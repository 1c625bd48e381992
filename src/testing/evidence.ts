import { unexpected } from '../base/errors.js';
import type { EventLog, LogEntry } from '../base/event-log.js';
import type {
  FleetEvent,
  FreezeRecord,
  FreezeReport,
  FreezeScope,
  FrozenVmReport,
  HostEvent,
  MaintenanceReport,
  ProbeSummary,
  ProcessFreeze,
  ProcessFreezeReport,
  ProcessRunReport,
  ResumedBy,
  RolloutReport,
  RunRecord,
  TickerImpact,
  VmReport,
} from '../index.js';
import type { Phases } from '../maintenance/phases.js';
import type { MemoryVerdict } from '../maintenance/proof.js';
import { memoryOfProcess, memoryOfVm } from './memory-evidence.js';

/** Entries of the event log of a host or a fleet, or the log itself, or what has one. */
export type LogEvidence =
  | EventLog<FleetEvent>
  | EventLog<HostEvent>
  | readonly LogEntry<FleetEvent>[]
  | { readonly log: EventLog<FleetEvent> | EventLog<HostEvent> };

/** What tells how a service answered: what probes found, or a run with probes. */
export type AvailabilityEvidence = ProbeSummary | readonly ProbeSummary[] | RunRecord;

/** What tells how VMs stood still: a report, the records of a freeze or the freeze itself, a log; or several of them. */
export type FreezeEvidence =
  | MaintenanceReport
  | FreezeReport
  | FreezeRecord
  | FreezeScope
  | ProcessFreeze
  | ProcessRunReport
  | ProcessFreezeReport
  | RolloutReport
  | RunRecord
  | LogEvidence
  | readonly FreezeEvidence[];

/** What is known of the memory of one VM. `lines` tell it to a reader, the bytes that differ among them. */
export interface MemoryEvidence {
  readonly verdict: MemoryVerdict;
  readonly lines: readonly string[];
}

/** One VM's standstill. Null is what this kind of evidence, or of guest, does not tell. */
export interface Standstill {
  readonly vm: string;
  readonly kind: 'emulated' | 'process' | 'unknown';
  readonly wasRunning: boolean;
  /** From halt to resume; null where it has not resumed. */
  readonly blackoutNs: number | null;
  readonly resumedBy: ResumedBy | null;
  readonly phases: Partial<Phases> | null;
  readonly memory: MemoryEvidence | null;
  readonly steps: { readonly atHalt: number; readonly atRelease: number } | null;
  /** Host wall clock − guest wall clock, after the synchronisation; null where there was none. */
  readonly clockLagNs: number | null;
  readonly ticker: TickerImpact | null;
}

const EXPECTED =
  'a MaintenanceReport, a FreezeReport, FreezeRecords, a freeze, a ProcessRunReport, a RolloutReport, a RunRecord, an event log, or an array of them';

/**
 * Throws ERR_INVALID_OPTION for anything else, naming the assertion. The record of a run has both reports and a log: the
 * log tells of every freeze, and the reports more of each.
 */
export function standstillsOf(
  evidence: FreezeEvidence,
  assertion: string,
  prefers: 'reports' | 'log' = 'reports',
): Standstill[] {
  if (isRunRecord(evidence)) {
    const { maintenances, processes, log: entries } = evidence;
    const own = prefers === 'log' ? impactsOf(entries) : maintenances.flatMap(({ report }) => report.vms.map(ofVm));
    return [...own, ...processes.flatMap(ofProcessRun)];
  }
  const log = entriesOf(evidence);
  if (log !== undefined) return impactsOf(log);
  if (Array.isArray(evidence))
    return evidence.flatMap((each: FreezeEvidence) => standstillsOf(each, assertion, prefers));
  if (isMaintenanceReport(evidence)) return evidence.vms.map(ofVm);
  if (isFreezeReport(evidence)) return evidence.vms.map(ofVm);
  if (isRolloutReport(evidence)) return evidence.vms.flatMap(ofRolloutVm);
  if (isProcessRun(evidence)) return ofProcessRun(evidence);
  if (isProcessFreeze(evidence)) return [ofProcessFreeze(evidence, 'the guest')];
  if (isFreeze(evidence)) return evidence.records().map(ofRecord);
  if (isRecord(evidence)) return [ofRecord(evidence)];
  throw unexpected('ERR_INVALID_OPTION', EXPECTED, assertion, evidence);
}

/** What probes found; undefined for what has none. */
export function probesOf(evidence: unknown): readonly ProbeSummary[] | undefined {
  if (isRunRecord(evidence)) return evidence.probes.length === 0 ? undefined : evidence.probes;
  if (has(evidence, 'during') && has(evidence, 'longestOutageNs')) return [evidence as unknown as ProbeSummary];
  const isSummaries = Array.isArray(evidence) && has(evidence[0], 'longestOutageNs');
  return isSummaries ? evidence : undefined;
}

/** The entries of what is a log or has one; undefined for anything else. */
export function entriesOf(evidence: unknown): readonly LogEntry<FleetEvent>[] | undefined {
  if (has(evidence, 'log')) return entriesOf(evidence.log);
  if (has(evidence, 'append') && has(evidence, 'entries')) return entriesOf(evidence.entries);
  const isLog = Array.isArray(evidence) && has(evidence[0], 'seq') && has(evidence[0], 'type');
  return isLog ? evidence : undefined;
}

const has = <Key extends string>(value: unknown, key: Key): value is Record<Key, unknown> =>
  typeof value === 'object' && value !== null && key in value;

const isRunRecord = (value: unknown): value is RunRecord => has(value, 'maintenances') && has(value, 'expectations');
const isMaintenanceReport = (value: unknown): value is MaintenanceReport => has(value, 'patches') && has(value, 'vms');
const isFreezeReport = (value: unknown): value is FreezeReport =>
  has(value, 'budgetMs') && has(value, 'vms') && !has(value, 'patches');
export const isRolloutReport = (value: unknown): value is RolloutReport =>
  has(value, 'rollout') && has(value, 'domains') && has(value, 'vms');
const isProcessRun = (value: unknown): value is ProcessRunReport => has(value, 'freezes') && has(value, 'freezer');
const isProcessFreeze = (value: unknown): value is ProcessFreezeReport =>
  has(value, 'digestAtHaltNs') && has(value, 'memory');
const isFreeze = (value: unknown): value is FreezeScope | ProcessFreeze =>
  has(value, 'records') && typeof value.records === 'function';
const isRecord = (value: unknown): value is FreezeRecord => has(value, 'haltedAtNs') && has(value, 'kind');

const UNKNOWN = { phases: null, memory: null, steps: null, clockLagNs: null, ticker: null } as const;

function ofVm(vm: VmReport | FrozenVmReport): Standstill {
  const { name, stepsBefore: atHalt, stepsAfter: atRelease } = vm;
  const isRebooted = 'rebooted' in vm && vm.rebooted;
  return {
    vm: name,
    kind: vm.kind,
    wasRunning: vm.wasRunning,
    blackoutNs: vm.blackoutNs,
    resumedBy: vm.resumedBy,
    phases: vm.phases,
    memory: memoryOfVm(vm),
    steps: atHalt === null || atRelease === null ? null : { atHalt, atRelease },
    clockLagNs: isRebooted ? null : vm.clockLagAfterNs,
    ticker: 'ticker' in vm ? vm.ticker : null,
  };
}

function ofRecord(record: FreezeRecord): Standstill {
  const isEmulated = record.kind === 'emulated';
  const isResumed = record.wasRunning && record.resumedAtNs !== 0n;
  return {
    ...UNKNOWN,
    vm: record.name,
    kind: record.kind,
    wasRunning: record.wasRunning,
    blackoutNs: isResumed ? Number(record.resumedAtNs - record.haltedAtNs) : null,
    resumedBy: record.resumedBy,
    phases: {
      requestNs: Number(record.haltedAtNs - record.requestedAtNs),
      ...(isResumed ? { resumeNs: Number(record.resumedAtNs - record.releasedAtNs) } : {}),
    },
    steps: isEmulated ? { atHalt: record.stepsAtHalt, atRelease: record.stepsAtRelease } : null,
    clockLagNs: isEmulated && record.syncedAtNs !== 0n ? record.clockLagAfterNs : null,
  };
}

const ofProcessRun = ({ freezes, vm }: ProcessRunReport): Standstill[] =>
  freezes.map((freeze) => ofProcessFreeze(freeze, vm));

function ofProcessFreeze(freeze: ProcessFreezeReport, vm: string): Standstill {
  const { digestAtHaltNs, digestAtReleaseNs } = freeze;
  return {
    ...UNKNOWN,
    vm,
    kind: 'process',
    wasRunning: true,
    blackoutNs: freeze.blackoutNs,
    resumedBy: freeze.resumedBy,
    phases: { requestNs: freeze.haltNs, digestNs: digestAtHaltNs + digestAtReleaseNs, resumeNs: freeze.resumeNs },
    memory: memoryOfProcess(freeze),
  };
}

/** A rollout's report tells the longest blackout of each VM, and nothing of its memory. */
const ofRolloutVm = ({ vm, blackoutNs }: RolloutReport['vms'][number]): Standstill[] =>
  blackoutNs === null ? [] : [{ ...UNKNOWN, vm, kind: 'unknown', wasRunning: true, blackoutNs, resumedBy: null }];

function impactsOf(entries: RunRecord['log']): Standstill[] {
  return entries.flatMap((entry) => {
    if (entry.type !== 'impact-end') return [];
    const { vm, haltedAtNs, releasedAtNs, resumedAtNs, resumedBy } = entry;
    const phases = { resumeNs: resumedAtNs - releasedAtNs };
    return [
      {
        ...UNKNOWN,
        ...{ vm, kind: 'unknown', wasRunning: true, blackoutNs: resumedAtNs - haltedAtNs, resumedBy, phases },
      } as const,
    ];
  });
}
