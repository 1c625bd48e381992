import { quantileSorted } from 'simple-statistics';
import { counted, formatNs } from '../base/units.js';
import type { MaintenanceReport, VmReport } from '../maintenance/report.js';
import { describeDifference } from '../process/memory-image.js';
import { blackoutsOf, type Impact, maintenancesOf } from './impacts.js';
import type { RunRecord } from './record.js';

export interface Distribution {
  readonly samples: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/** A VM of a maintenance, with what both say of it. */
export interface MaintainedVm {
  readonly host: string;
  readonly report: MaintenanceReport;
  readonly vm: VmReport;
}

/** What a reader asks first. */
export interface Figures {
  /** Null where no VM stood still. */
  readonly blackout: Distribution | null;
  /** By what made them stand still. */
  readonly blackouts: ReadonlyMap<string, Distribution>;
  /** The shortest of the run's budgets; null where there was none. */
  readonly budgetNs: number | null;
  readonly vms: readonly MaintainedVm[];
  /** How many memories were looked at over freezes, and how many of them were found as they were. */
  readonly memories: number;
  readonly preserved: number;
  /** The greatest that a synchronised clock was off; null where none was synchronised. */
  readonly clockLagAfterNs: number | null;
  /** The lowest of the probes' shares of good answers while something was going on; null without such a probe. */
  readonly availability: number | null;
}

export function figuresOf(record: RunRecord): Figures {
  const blackouts = blackoutsOf(record);
  const causes = new Set(blackouts.map(({ cause }) => cause));
  const vms = record.maintenances.flatMap(({ host, report }) => report.vms.map((vm) => ({ host, report, vm })));
  const freezes = record.processes.flatMap((run) => run.freezes);
  const budgets = [
    ...record.maintenances.map(({ report }) => report.budgetMs),
    ...record.processes.map((run) => run.budgetMs),
  ];
  const verdicts = [...vms.map(({ vm }) => vm.memory), ...freezes.map(({ memory }) => memory)];
  const stepped = clocksOf(vms).flatMap(({ vm, afterNs }) => (vm.syncedBy === 'step' ? [Math.abs(afterNs)] : []));
  const shares = record.probes.flatMap(({ during }) => during.okShare ?? []);
  return {
    blackout: distributionOf(blackouts),
    blackouts: new Map(
      [...causes].flatMap((cause) => {
        const own = distributionOf(blackouts.filter((impact) => impact.cause === cause));
        return own === null ? [] : [[cause, own]];
      }),
    ),
    budgetNs: budgets.length === 0 ? null : Math.min(...budgets) * 1e6,
    vms,
    memories: verdicts.length,
    preserved: verdicts.filter((memory) => memory === 'preserved').length,
    clockLagAfterNs: stepped.length === 0 ? null : stepped.reduce((a, b) => Math.max(a, b)),
    availability: shares.length === 0 ? null : shares.reduce((a, b) => Math.min(a, b)),
  };
}

function distributionOf(impacts: readonly Impact[]): Distribution | null {
  const sorted = impacts.map(({ blackoutNs }) => blackoutNs).sort((a, b) => a - b);
  const maxNs = sorted.at(-1);
  if (maxNs === undefined) return null;
  const at = (share: number) => Math.round(quantileSorted(sorted, share));
  return { samples: sorted.length, p50Ns: at(0.5), p90Ns: at(0.9), p99Ns: at(0.99), maxNs };
}

/** Everything that went wrong, a sentence each, with where; each sentence once. */
export function problemsOf(record: RunRecord): string[] {
  const found = [
    ...(record.error === null ? [] : [record.error.message]),
    ...maintenancesOf(record).flatMap(({ host, problems }) => problems.map((problem) => `${host}: ${problem}`)),
    ...record.rollouts.flatMap(({ problems }) => problems),
    ...record.processes.flatMap(({ vm, problems }) => problems.map((problem) => `${vm}: ${problem}`)),
    ...record.probes.flatMap(({ problems }) => problems),
  ];
  return [...new Set(found)];
}

export const percent = (share: number): string => `${Math.floor(share * 1000 + 1e-9) / 10} %`;

/** '0x4d2000'. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

/** Where memory changed, in a sentence; '' where it did not. */
export function describeChange({
  memory,
  changedPages,
  difference,
}: Pick<VmReport, 'memory' | 'changedPages' | 'difference'>): string {
  if (memory !== 'changed') return '';
  if (difference !== null) return describeDifference(difference);
  if (changedPages === null) return 'its digests differ';
  const { count, firstPage, firstGpa } = changedPages;
  return `${counted(count, 'page')}, the first is page ${hex(firstPage)} at ${hex(firstGpa)}`;
}

/** A VM with a clock of its own that was synchronised. */
export interface SynchronisedClock {
  readonly host: string;
  readonly vm: VmReport;
  readonly beforeNs: number;
  readonly afterNs: number;
}

export const clocksOf = (vms: readonly MaintainedVm[]): SynchronisedClock[] =>
  vms.flatMap(({ host, vm }) => {
    const { clockLagBeforeNs: beforeNs, clockLagAfterNs: afterNs, wasRunning, rebooted } = vm;
    return wasRunning && !rebooted && beforeNs !== null && afterNs !== null ? [{ host, vm, beforeNs, afterNs }] : [];
  });

export const clockLag = ({ clockLagBeforeNs, clockLagAfterNs }: VmReport): string =>
  clockLagBeforeNs === null || clockLagAfterNs === null
    ? 'the clock of its host'
    : `${formatNs(clockLagBeforeNs)} → ${formatNs(clockLagAfterNs)}`;
