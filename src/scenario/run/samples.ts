import type { LogEntry } from '../../base/event-log.js';
import type { FreezeCause } from '../../maintenance/freeze-scope.js';
import type { VmReport } from '../../maintenance/report.js';
import type { RunEvent, RunRecord } from '../../report/record.js';

/** What expectations look at: a run's record, before it is judged. */
export type Observed = Pick<RunRecord, 'log' | 'maintenances' | 'rollouts' | 'probes' | 'durationNs'>;

/** One value that was seen, and of what. */
export interface Sample<Value> {
  readonly of: string;
  readonly value: Value;
}

type Entry<Type extends RunEvent['type']> = Extract<LogEntry<RunEvent>, { readonly type: Type }>;

export const entriesOf = <Type extends RunEvent['type']>({ log }: Observed, type: Type): Entry<Type>[] =>
  log.filter((entry): entry is Entry<Type> => entry.type === type);

/** Each VM of each maintenance that stood still in it. */
export const vmReports = ({ maintenances }: Observed): VmReport[] => maintenances.flatMap(({ report }) => report.vms);

/** The look behind each maintenance is our own. */
const isFelt = ({ cause }: { readonly cause: FreezeCause }): boolean => cause !== 'inspection';

/** A process reads its host's clock, which has no lag. */
const lags = (
  observed: Observed,
  pick: (each: VmReport) => number | null,
  told: 'beforeNs' | 'afterNs',
): Sample<number>[] => [
  ...vmReports(observed).flatMap((vm) => sampleOf(vm.name, vm.wasRunning && !vm.rebooted ? pick(vm) : null)),
  ...entriesOf(observed, 'clock-lag').flatMap((entry) => sampleOf(entry.vm, entry[told])),
];

const sampleOf = (of: string, lagNs: number | null): Sample<number>[] =>
  lagNs === null ? [] : [{ of, value: Math.abs(lagNs) }];

/** The metrics that are many values, in nanoseconds. */
export const DISTRIBUTIONS = {
  blackout: (observed: Observed) =>
    entriesOf(observed, 'impact-end')
      .filter(isFelt)
      .map(({ vm, haltedAtNs, resumedAtNs }) => ({
        of: vm,
        value: resumedAtNs - haltedAtNs,
      })),
  pause: (observed: Observed) =>
    entriesOf(observed, 'impact-begin')
      .filter(isFelt)
      .map(({ vm, requestedAtNs, haltedAtNs }) => ({
        of: vm,
        value: haltedAtNs - requestedAtNs,
      })),
  'clock.lag.before': (observed: Observed) => lags(observed, (vm) => vm.clockLagBeforeNs, 'beforeNs'),
  'clock.lag.after': (observed: Observed) => lags(observed, (vm) => vm.clockLagAfterNs, 'afterNs'),
  'guest.gap': (observed: Observed) =>
    vmReports(observed).flatMap(({ name, ticker }) =>
      ticker === null ? [] : [{ of: name, value: ticker.trueGapMaxNs }],
    ),
  latency: (observed: Observed) =>
    entriesOf(observed, 'probe').flatMap(({ probe, ok, latencyNs }) => (ok ? [{ of: probe, value: latencyNs }] : [])),
} satisfies Record<string, (observed: Observed) => Sample<number>[]>;
