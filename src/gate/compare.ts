import { medianSorted } from 'simple-statistics';
import { StandstillError, unexpected } from '../base/errors.js';
import { HISTORY_MIN, historyInterval } from './interval.js';
import type { Interval, Metric, Result } from './metric.js';
import { formatShare } from './units.js';
import { decide, type GateReport, type MetricVerdict, overallVerdict } from './verdict.js';

/** The minimum effect that counts for a metric, as a share. */
export type MinEffectOf = (metric: string) => number;

export interface Comparable {
  readonly shared: readonly (readonly [base: Metric, head: Metric])[];
  readonly warnings: readonly string[];
}

/**
 * The metrics that both sides have, with a warning for each that one of them lacks. ERR_GATE_UNITS where the two differ in
 * unit, ERR_GATE_INPUT where they have no metric in common.
 */
export function pairMetrics(base: Result, head: Result): Comparable {
  const onlyBase = [...base.metrics.keys()].filter((name) => !head.metrics.has(name));
  const onlyHead = [...head.metrics.keys()].filter((name) => !base.metrics.has(name));
  // Of two commands that were timed alone each, the names are the commands, which differ by nature.
  const [only] = base.metrics.values();
  const [other] = head.metrics.values();
  if (only && other && base.metrics.size === 1 && head.metrics.size === 1 && onlyHead.length === 1) {
    const warning = `'${only.name}' is compared with '${other.name}', the one metric of each side`;
    return { shared: [sameUnit(only, other)], warnings: [warning] };
  }
  const shared = [...base.metrics.values()].flatMap((metric) => {
    const counterpart = head.metrics.get(metric.name);
    return counterpart === undefined ? [] : [sameUnit(metric, counterpart)];
  });
  if (shared.length === 0) {
    throw new StandstillError(
      'ERR_GATE_INPUT',
      `Expected a metric in both ${base.source} and ${head.source} but they have none in common`,
    );
  }
  return {
    shared,
    warnings: [...absence(onlyBase, base.source, head.source), ...absence(onlyHead, head.source, base.source)],
  };
}

const NAMES_SHOWN_MAX = 5;

function absence(names: readonly string[], there: string, missing: string): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, NAMES_SHOWN_MAX).map((name) => `'${name}'`);
  const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : '';
  return [`not compared, as ${missing} does not have what ${there} has: ${shown.join(', ')}${more}`];
}

function sameUnit(base: Metric, head: Metric): readonly [Metric, Metric] {
  if (base.unit === head.unit) return [base, head];
  throw unexpected('ERR_GATE_UNITS', `the unit '${base.unit}' of the base`, `'${head.name}' of the head`, head.unit);
}

/**
 * Compares results that were taken at different times. The verdicts are 'threshold' ones: a change counts where it is
 * larger than the minimum effect and the two figures' own bounds do not overlap. Several results of the base are its
 * history, whose spread then stands for both sides.
 */
export function compareResults(history: readonly Result[], head: Result, minEffectOf: MinEffectOf): GateReport {
  const base = history.at(-1);
  if (base === undefined)
    throw new StandstillError('ERR_GATE_INPUT', 'Expected one result of the base at least but received none');
  const { shared, warnings } = pairMetrics(base, head);
  const metrics = shared.map(([newest, metric]) => {
    const values = history.flatMap((result) => result.metrics.get(newest.name)?.value ?? []);
    const minEffect = minEffectOf(metric.name);
    return values.length > 1
      ? judgeAgainstHistory(newest, values, metric, minEffect)
      : judgeByThreshold(newest, newest.value, boundsOf(newest, metric), metric, minEffect);
  });
  return {
    schemaVersion: 1,
    verdict: overallVerdict(metrics),
    method: 'threshold',
    base: base.source,
    head: head.source,
    metrics,
    warnings: [...warnings, ...machineWarnings(history, head), ...base.warnings, ...head.warnings],
    plan: null,
  };
}

function machineWarnings(history: readonly Result[], head: Result): string[] {
  const isForeign = history.some(
    ({ machine }) => machine !== null && head.machine !== null && machine !== head.machine,
  );
  return isForeign ? ['the results are from different machines: a difference may be theirs'] : [];
}

/** How far apart the two could be as ratios head / base, from the bounds of both; a text says why not. */
function boundsOf(base: Metric, head: Metric): Interval | string {
  const [first, second] = [base.interval, head.interval];
  if (first === null || second === null) {
    return 'one value a side and no history says nothing about noise';
  }
  if (!(first.low > 0)) return 'the bounds of the base reach to 0';
  return { low: second.low / first.high, high: second.high / first.low };
}

function judgeAgainstHistory(
  newest: Metric,
  values: readonly number[],
  head: Metric,
  minEffect: number,
): MetricVerdict {
  const median = medianSorted(values.toSorted((a, b) => a - b));
  const spread = historyInterval(values);
  const own = head.interval ?? { low: head.value, high: head.value };
  const bounds =
    spread === null
      ? `a history of ${values.length} values is too short: it takes ${HISTORY_MIN}`
      : { low: (own.low - (spread.high - median)) / median, high: (own.high + (median - spread.low)) / median };
  return judgeByThreshold(newest, median, bounds, head, minEffect);
}

const MORE_HISTORY = `${HISTORY_MIN} or more results of the base (--baseline several times), or 'standstill gate ab'`;

function judgeByThreshold(
  { name, unit, direction }: Metric,
  base: number,
  bounds: Interval | string,
  head: Metric,
  minEffect: number,
): MetricVerdict {
  const common = {
    name,
    unit,
    direction,
    method: 'threshold',
    base,
    head: head.value,
    minEffect,
    pValue: null,
    values: null,
  } as const;
  const open = { ...common, verdict: 'undecided', worseBy: null, interval: null } as const;
  if (base === head.value && base <= 0) {
    return { ...common, verdict: 'pass', worseBy: 0, interval: null, reason: 'equal', settledBy: null };
  }
  if (!(base > 0 && head.value > 0)) {
    return { ...open, reason: 'values of 0 or below have no ratio', settledBy: 'a metric above 0' };
  }
  const turn = direction === 'lower' ? 1 : -1;
  const worseBy = (head.value / base) ** turn - 1;
  if (typeof bounds === 'string') return { ...open, worseBy, reason: bounds, settledBy: MORE_HISTORY };
  const ends = [bounds.low, bounds.high].map((ratio) => turn * Math.log(Math.max(ratio, Number.MIN_VALUE)));
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const effect = { estimate: Math.log1p(worseBy), low, high, isSignificant: low > 0 || high < 0 };
  const verdict = decide(effect, minEffect);
  const interval = { low: Math.expm1(low), high: Math.expm1(high) };
  const range = `between ${formatShare(interval.low)} and ${formatShare(interval.high)}`;
  return {
    ...common,
    verdict,
    worseBy,
    interval,
    reason: `${range} by the spread of the two, which were not interleaved`,
    settledBy: verdict === 'undecided' ? MORE_HISTORY : null,
  };
}
