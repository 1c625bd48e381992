import { quantileSorted } from 'simple-statistics';
import { counted, formatNs } from '../../base/units.js';
import type { ExpectationResult } from '../../report/record.js';
import type { Comparison, Expectation } from '../expectation.js';
import { metricOf } from '../metrics.js';
import { COUNTS } from './counts.js';
import { DISTRIBUTIONS, type Observed, type Sample } from './samples.js';
import { SHARES } from './shares.js';
import { STATES } from './states.js';

const DETAIL_MAX = 5;

/** What was seen of a metric; null where nothing was, so that nothing can be said. */
type Finding = {
  readonly value: number | string;
  readonly observed: string;
  readonly detail: readonly string[];
} | null;

/** Whether an expectation holds, by what was observed; where nothing was, it does not. */
export function judge(expectation: Expectation, observed: Observed, members: Members): ExpectationResult {
  const { text, value, comparison } = expectation;
  const found = find(expectation, observed, members);
  if (found === null)
    return { text, ok: false, observed: 'nothing', detail: [`nothing was seen of it: ${why(expectation)}`] };
  const ok = comparison === 'is' ? found.value === value : COMPARE[comparison](Number(found.value), Number(value));
  const more = found.detail.length - DETAIL_MAX;
  const detail = [...found.detail.slice(0, DETAIL_MAX), ...(more > 0 ? [`and ${more} more`] : [])];
  return { text, ok, observed: found.observed, detail };
}

/** The VMs that a name in brackets means: that of an entry with a count all of it. */
export type Members = (name: string) => readonly string[];

const COMPARE: Record<Comparison, (a: number, b: number) => boolean> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

function find(expectation: Expectation, observed: Observed, members: Members): Finding {
  const { metric, args, statistic } = expectation;
  const names = new Set(metricOf(metric).of === 'vm' ? args.flatMap(members) : args);
  const isMeant = (name: string) => names.size === 0 || names.has(name);
  if (metric === 'duration') return { value: observed.durationNs, observed: formatNs(observed.durationNs), detail: [] };
  if (isOf(DISTRIBUTIONS, metric)) return distribution(DISTRIBUTIONS[metric](observed), isMeant, statistic);
  if (isOf(STATES, metric)) return stateOf(STATES[metric](observed, isMeant));
  if (isOf(COUNTS, metric)) {
    const { value, of, detail } = COUNTS[metric](observed, isMeant);
    return of === 0 ? null : { value, observed: of === null ? `${value}` : `${value} of ${of}`, detail };
  }
  return SHARES[metric](observed, isMeant);
}

const isOf = <Table extends object>(table: Table, metric: PropertyKey): metric is keyof Table => metric in table;

function distribution(
  samples: readonly Sample<number>[],
  isMeant: (name: string) => boolean,
  statistic: Expectation['statistic'],
): Finding {
  const meant = samples.filter(({ of }) => isMeant(of)).toSorted((a, b) => a.value - b.value);
  const greatest = meant.at(-1);
  if (greatest === undefined) return null;
  const values = meant.map(({ value }) => value);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const value = statistic === 'mean' ? mean : quantileSorted(values, (statistic ?? 100) / 100);
  return {
    value,
    observed: `${formatNs(value)} of ${counted(values.length, 'sample')}`,
    detail: [`the greatest, ${formatNs(greatest.value)}, of ${greatest.of}`],
  };
}

function stateOf({ samples, order, detail }: ReturnType<(typeof STATES)[keyof typeof STATES]>): Finding {
  const seen = order.map((state) => ({ state, count: samples.filter(({ value }) => value === state).length }));
  const worst = seen.find(({ count }) => count > 0);
  if (worst === undefined) return null;
  const observed = seen.flatMap(({ state, count }) => (count === 0 ? [] : [`${count} ${state}`])).join(', ');
  return { value: worst.state, observed, detail };
}

/** A reason for seeing nothing. */
function why({ metric, args }: Expectation): string {
  const { description } = metricOf(metric);
  const of = args.length === 0 ? '' : ` of ${args.join(', ')}`;
  return `no sample${of} of '${metric}', ${description}`;
}
