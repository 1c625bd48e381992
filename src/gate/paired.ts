import { medianSorted } from 'simple-statistics';
import type { MinEffectOf } from './compare.js';
import { maxT } from './max-t.js';
import type { Metric } from './metric.js';
import { formatShare } from './units.js';
import { decide, type MetricVerdict } from './verdict.js';

/** The values of one metric: those of pair i at index i. */
export interface PairedSeries {
  readonly metric: Metric;
  readonly base: readonly number[];
  readonly head: readonly number[];
}

export interface RoundTest {
  /** Of this look at the data alone. */
  readonly errorRate: number;
  readonly resamples: number;
  readonly seed: number;
  readonly minEffectOf: MinEffectOf;
}

/** Judges all metrics of interleaved pairs of process runs together, by the paired max-T permutation test. Pure. */
export function judgePairs(series: readonly PairedSeries[], test: RoundTest): MetricVerdict[] {
  const testable = series.filter(hasRatios);
  const effects = new Map(
    maxT(testable.map(logRatios), test).map((effect, index) => [testable[index]?.metric.name, effect]),
  );
  return series.map((one) => {
    const { name, unit, direction } = one.metric;
    const minEffect = test.minEffectOf(name);
    const effect = effects.get(name);
    const common = {
      name,
      unit,
      direction,
      method: 'permutation',
      base: medianOf(one.base),
      head: medianOf(one.head),
      minEffect,
      values: { base: one.base, head: one.head },
    } as const;
    if (effect === undefined) return { ...common, ...withoutRatio(one) };
    const verdict = decide({ ...effect, isSignificant: effect.pValue <= test.errorRate }, minEffect);
    const interval = { low: Math.expm1(effect.low), high: Math.expm1(effect.high) };
    if (!Number.isFinite(effect.low)) {
      const [reason, settledBy] = [
        `${one.base.length} pairs are too few to bound so many metrics`,
        'more pairs (--pairs)',
      ];
      return {
        ...common,
        verdict,
        worseBy: Math.expm1(effect.estimate),
        interval: null,
        pValue: effect.pValue,
        reason,
        settledBy,
      };
    }
    return {
      ...common,
      verdict,
      worseBy: Math.expm1(effect.estimate),
      interval,
      pValue: effect.pValue,
      reason: `between ${formatShare(interval.low)} and ${formatShare(interval.high)} over ${one.base.length} pairs`,
      settledBy: verdict === 'undecided' ? settledBy(effect, minEffect, one.base.length) : null,
    };
  });
}

const medianOf = (values: readonly number[]): number => medianSorted(values.toSorted((a, b) => a - b));

const hasRatios = ({ base, head }: PairedSeries): boolean => [...base, ...head].every((value) => value > 0);

/** Above 0 is worse, whichever way is better. */
function logRatios({ metric, base, head }: PairedSeries): number[] {
  const turn = metric.direction === 'lower' ? 1 : -1;
  return base.map((value, index) => turn * Math.log((head[index] ?? Number.NaN) / value));
}

function withoutRatio({ base, head }: PairedSeries) {
  const isEqual = base.every((value, index) => value === head[index]);
  const common = { interval: null, pValue: null } as const;
  return isEqual
    ? ({ ...common, verdict: 'pass', worseBy: 0, reason: 'equal in every pair', settledBy: null } as const)
    : ({
        ...common,
        verdict: 'undecided',
        worseBy: null,
        reason: 'values of 0 or below have no ratio',
        settledBy: 'a metric above 0',
      } as const);
}

const PAIRS_SHOWN_MAX = 10_000;

/** How many pairs would do, if the change and the noise stay as they are: bounds narrow with the root of their number. */
function settledBy({ estimate, high }: { estimate: number; high: number }, minEffect: number, pairs: number): string {
  const least = Math.log1p(minEffect);
  const distance = estimate >= least ? estimate : least - estimate;
  const needed = Math.ceil(pairs * ((high - estimate) / distance) ** 2);
  if (!(needed <= PAIRS_SHOWN_MAX)) {
    return `another minimum effect: the change lies at the one of ${formatShare(minEffect)} itself`;
  }
  return `about ${Math.max(needed, pairs + 1)} pairs (--pairs, --rounds), longer runs, or a quieter machine`;
}
