import { medianSorted } from 'simple-statistics';
import { Prng } from '../base/prng.js';

/** Differences of one metric: one for each pair of process runs. */
export type Differences = readonly number[];

export interface MaxTOptions {
  /** Share of comparisons without any difference in which one metric or more may come out significant. */
  readonly errorRate: number;
  /** Sign patterns to try where there are more of them than that. */
  readonly resamples: number;
  readonly seed: number;
}

export interface MaxTEffect {
  /** The median of the means of all two differences (Hodges and Lehmann), which a few outliers do not move. */
  readonly estimate: number;
  /** Adjusted for all metrics. */
  readonly pValue: number;
  /** Simultaneous with those of all metrics, at 1 - errorRate; they hold 0 where the p-value is above errorRate. */
  readonly low: number;
  readonly high: number;
}

/**
 * The paired permutation test over several metrics at once. Without a difference between the sides each pair might as
 * well have had its labels exchanged, which turns the sign of its differences in all metrics together; so the
 * distribution of the greatest statistic over the metrics is had by turning signs, and comparing each metric's with it
 * bounds the error over all of them, however they depend on each other (Westfall and Young's single-step max-T). The
 * statistic is Wilcoxon's signed rank sum over its standard deviation: a run that something disturbed counts as one rank.
 * All sign patterns are tried where they are at most `resamples`, seeded random ones elsewhere. Pure.
 */
export function maxT(metrics: readonly Differences[], { errorRate, resamples, seed }: MaxTOptions): MaxTEffect[] {
  const pairs = metrics[0]?.length ?? 0;
  const ranked = metrics.map(signedRanks);
  const maxima: number[] = [];
  for (const signs of signPatterns(pairs, resamples, seed)) maxima.push(greatestSum(ranked, signs));
  maxima.sort((a, b) => b - a);
  const critical = maxima[Math.floor(errorRate * maxima.length)] ?? 0;
  return metrics.map((differences, index) => {
    const { sum = 0, norm = 0 } = ranked[index] ?? {};
    return { pValue: shareAtLeast(maxima, Math.abs(sum)), ...boundsOf(differences, critical * norm) };
  });
}

interface SignedRanks {
  /** Root of the sum of squares of the ranks: the standard deviation of their sum under random signs. */
  readonly norm: number;
  /** Ranks of the absolute differences with the signs of the differences, over `norm`. */
  readonly values: Float64Array;
  readonly sum: number;
}

function signedRanks(differences: Differences): SignedRanks {
  const magnitudes = differences.map(Math.abs).toSorted((a, b) => a - b);
  const ranks = differences.map((difference) => {
    const magnitude = Math.abs(difference);
    // Equal ones share the mean of their ranks.
    return (Math.sign(difference) * (magnitudes.indexOf(magnitude) + magnitudes.lastIndexOf(magnitude) + 2)) / 2;
  });
  const norm = Math.hypot(...ranks);
  const values = Float64Array.from(ranks, (rank) => (norm === 0 ? 0 : rank / norm));
  return { norm, values, sum: values.reduce((total, value) => total + value, 0) };
}

function greatestSum(metrics: readonly SignedRanks[], signs: Int8Array): number {
  let greatest = 0;
  for (const { values } of metrics) {
    let sum = 0;
    for (let pair = 0; pair < values.length; pair += 1) sum += (values[pair] ?? 0) * (signs[pair] ?? 0);
    greatest = Math.max(greatest, Math.abs(sum));
  }
  return greatest;
}

/**
 * The shifts of the differences for which their signed rank sum stays within the critical one: of the n(n+1)/2 means of
 * two differences (or one and itself), each above the shift adds one to the positive rank sum.
 */
function boundsOf(differences: Differences, criticalSum: number): Pick<MaxTEffect, 'estimate' | 'low' | 'high'> {
  const means = new Float64Array((differences.length * (differences.length + 1)) / 2);
  let filled = 0;
  for (const [index, one] of differences.entries()) {
    for (const other of differences.slice(index)) means[filled++] = (one + other) / 2;
  }
  means.sort();
  const cut = Math.ceil((means.length - criticalSum) / 2 - ROUNDING) - 1;
  return {
    estimate: medianSorted([...means]),
    low: means[cut] ?? Number.NEGATIVE_INFINITY,
    high: means[means.length - 1 - cut] ?? Number.POSITIVE_INFINITY,
  };
}

const ROUNDING = 1e-9;

function shareAtLeast(descending: readonly number[], value: number): number {
  const below = descending.findIndex((maximum) => maximum < value - ROUNDING);
  return (below === -1 ? descending.length : below) / descending.length;
}

const SIGNS_PER_DRAW = 26;

/** The pattern that was observed first. All others too where that is few enough; a pattern and its reverse count as one. */
function* signPatterns(pairs: number, resamples: number, seed: number): Generator<Int8Array> {
  const signs = new Int8Array(pairs).fill(1);
  yield signs;
  if (2 ** (pairs - 1) <= resamples) {
    for (let pattern = 1; pattern < 2 ** (pairs - 1); pattern += 1) {
      for (let pair = 0; pair < pairs - 1; pair += 1) signs[pair] = (pattern >> pair) & 1 ? -1 : 1;
      yield signs;
    }
    return;
  }
  const prng = new Prng(BigInt(seed));
  for (let resample = 1; resample < resamples; resample += 1) {
    let bits = 0;
    for (let pair = 0; pair < pairs; pair += 1) {
      if (pair % SIGNS_PER_DRAW === 0) bits = prng.nextBelow(2 ** SIGNS_PER_DRAW);
      signs[pair] = (bits >> (pair % SIGNS_PER_DRAW)) & 1 ? -1 : 1;
    }
    yield signs;
  }
}
