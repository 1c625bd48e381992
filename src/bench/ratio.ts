import { Prng } from '../base/prng.js';
import type { MetricDraft } from './case.js';
import type { BenchReference } from './result-schema.js';
import type { Series } from './series.js';

const CONFIDENCE = 0.95;
const RESAMPLES = 1000;
/** An interval from fewer rounds would say nothing. */
const ROUNDS_MIN = 5;

/**
 * Ours over the other's at the median, with a bootstrap interval. What is drawn again is the round, with both sides of
 * it: samples of one round are not independent, and what disturbs a round disturbs both.
 */
export function ratioOf(ours: Series, other: Series): BenchReference['ratio'] {
  const ratio = divided(ours.summary().percentiles.p50, other.summary().percentiles.p50);
  if (ratio === null) return null;
  const [low, high] = intervalOf(ours.roundMedians, other.roundMedians) ?? [null, null];
  return { p50: ratio, low, high, confidence: CONFIDENCE };
}

/** A bandwidth's target: at least this share of the limit's, at the median. Neither met nor missed without one of them. */
export function shareTarget(
  share: number,
  ours: Series,
  limit: Series,
  of: string,
): NonNullable<MetricDraft['target']> {
  const ratio = divided(ours.summary().percentiles.p50, limit.summary().percentiles.p50);
  return { text: `≥ ${share * 100} % of ${of}`, met: ratio === null ? null : ratio >= share };
}

function intervalOf(ours: readonly number[], others: readonly number[]): [number, number] | null {
  const rounds = Math.min(ours.length, others.length);
  if (rounds < ROUNDS_MIN) return null;
  const prng = new Prng(1n); // the same samples have the same interval
  const ratios: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    const drawn = Array.from({ length: rounds }, () => prng.nextBelow(rounds));
    const ratio = divided(medianAt(ours, drawn), medianAt(others, drawn));
    if (ratio !== null) ratios.push(ratio);
  }
  if (ratios.length === 0) return null;
  ratios.sort((a, b) => a - b);
  const at = (share: number) => ratios[Math.min(ratios.length - 1, Math.floor(ratios.length * share))] ?? 0;
  return [at((1 - CONFIDENCE) / 2), at((1 + CONFIDENCE) / 2)];
}

function medianAt(medians: readonly number[], places: readonly number[]): number {
  const drawn = places.map((place) => medians[place] ?? 0).sort((a, b) => a - b);
  return drawn[Math.floor(drawn.length / 2)] ?? 0;
}

const divided = (a: number | undefined, b: number | undefined): number | null =>
  a === undefined || b === undefined || b === 0 ? null : a / b;
