import { binomialDistribution, bisect, medianAbsoluteDeviation, medianSorted } from 'simple-statistics';
import type { Interval } from './metric.js';

const TAIL_99 = 0.005;
const TAIL_95 = 0.025;
/** From a median absolute deviation to a standard deviation, where the spread is normal. */
const DEVIATION_PER_MAD = 1.4826;
const HISTORY_DEVIATIONS = 3;
export const HISTORY_MIN = 5;
/** Above it the binomial distribution is as good as normal, and its table long. */
const EXACT_MAX = 10_000;
const NORMAL_QUANTILE_99 = 2.576;

/**
 * Bounds of the true quantile, from samples in ascending order, without any assumption about their distribution: the order
 * statistics between which it lies with a probability of 99 %. null where the samples are too few for that (below 8 for a
 * median). Samples of one process are not independent, so that the bounds are narrower than they should be.
 */
export function quantileInterval(ascending: readonly number[], quantile: number): Interval | null {
  const count = ascending.length;
  const [lower, upper] = count <= EXACT_MAX ? exactRanks(count, quantile) : normalRanks(count, quantile);
  const low = ascending[lower];
  const high = ascending[upper];
  return low === undefined || high === undefined ? null : { low, high };
}

/** Indices of the two order statistics; outside of the samples where there is none far enough out. */
function exactRanks(count: number, quantile: number): [number, number] {
  let atMost = 0;
  let lower = -1;
  for (const [successes, probability] of (binomialDistribution(count, quantile) ?? []).entries()) {
    atMost += probability;
    if (atMost <= TAIL_99) lower = successes;
    if (atMost >= 1 - TAIL_99) return [lower, successes];
  }
  return [lower, count];
}

function normalRanks(count: number, quantile: number): [number, number] {
  const reach = NORMAL_QUANTILE_99 * Math.sqrt(count * quantile * (1 - quantile));
  return [Math.floor(count * quantile - reach), Math.ceil(count * quantile + reach)];
}

/** Where a next value of a history would lie: its median and three robust standard deviations. null below five values. */
export function historyInterval(values: readonly number[]): Interval | null {
  if (values.length < HISTORY_MIN) return null;
  const median = medianSorted(values.toSorted((a, b) => a - b));
  const reach = HISTORY_DEVIATIONS * DEVIATION_PER_MAD * medianAbsoluteDeviation(values);
  return { low: median - reach, high: median + reach };
}

/** Clopper and Pearson's exact interval, at 95 %, of the share behind so many hits in so many trials. */
export function shareInterval(hits: number, trials: number): Interval {
  const atMost = (share: number, count: number) =>
    (binomialDistribution(trials, share) ?? []).slice(0, count + 1).reduce((sum, probability) => sum + probability, 0);
  const solve = (excess: (share: number) => number) => bisect(excess, 1e-9, 1 - 1e-9, 100, 1e-7);
  return {
    low: hits === 0 ? 0 : solve((share) => atMost(share, hits - 1) - (1 - TAIL_95)),
    high: hits === trials ? 1 : solve((share) => atMost(share, hits) - TAIL_95),
  };
}
