import { describe, expect, it } from 'vitest';
import { bucketsOf } from '../../../src/bench/figure.js';
import { ratioOf } from '../../../src/bench/ratio.js';
import { Series, summarise } from '../../../src/bench/series.js';

/** A clock that a test sets. */
class Turns {
  turn = 0;
  get atMs() {
    return this.turn * 10;
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** A series with these values, one list a round. */
function seriesOf(rounds: readonly (readonly number[])[], kind: 'latencies' | 'figures' = 'latencies'): Series {
  const turns = new Turns();
  const series = new Series(kind, turns);
  for (const values of rounds) {
    turns.turn += 1;
    series.recordAll(values);
  }
  return series;
}

describe('a series', () => {
  it('gives a percentile only where ten samples lie beyond it', () => {
    const keys = (count: number) => Object.keys(seriesOf([upTo(count)]).summary().percentiles);
    expect(keys(99)).toEqual(['p25', 'p50', 'p75']);
    expect(keys(100)).toEqual(['p25', 'p50', 'p75', 'p90']);
    expect(keys(999)).not.toContain('p99');
    expect(keys(1000)).toContain('p99');
    expect(keys(9999)).not.toContain('p99.9');
    expect(keys(10_000)).toContain('p99.9');
  });

  it('agrees with the exact percentiles to three significant digits, and with the extremes exactly', () => {
    const values = upTo(5000).map((value) => value * 1234);
    const [histogram, exact] = [seriesOf([values]).summary(), summarise(values)];
    expect(histogram).toMatchObject({ samples: 5000, min: 1234, max: 5000 * 1234 });
    for (const key of ['p50', 'p90', 'p99'] as const) {
      const expected = exact.percentiles[key] ?? 0;
      expect(Math.abs((histogram.percentiles[key] ?? 0) / expected - 1)).toBeLessThan(0.002);
    }
  });

  it('has no percentile above its maximum', () => {
    const { max, percentiles } = seriesOf([[813_017]]).summary();
    expect(max).toBe(813_017);
    expect(percentiles.p50).toBeLessThanOrEqual(max);
  });

  it('keeps few samples as they came, and many as a histogram of as many', () => {
    expect(seriesOf([[3, 1, 2]]).measurement().distribution).toEqual({ kind: 'samples', values: [3, 1, 2] });
    const many = seriesOf([upTo(3000)]).measurement().distribution;
    expect(many.kind).toBe('histogram');
    const buckets = bucketsOf(many);
    expect(buckets.reduce((sum, [, count]) => sum + count, 0)).toBe(3000);
    expect(buckets.map(([value]) => value)).toEqual(buckets.map(([value]) => value).toSorted((a, b) => a - b));
  });

  it('tells its rounds apart by the clock', () => {
    const { rounds } = seriesOf([[1, 2, 3], [10]]).measurement();
    expect(rounds).toEqual([
      { atMs: 10, samples: 3, p50: 2 },
      { atMs: 20, samples: 1, p50: 10 },
    ]);
  });

  it('is empty without samples', () => {
    expect(seriesOf([]).summary()).toEqual({ samples: 0, min: 0, max: 0, mean: 0, percentiles: {} });
  });
});

describe('the ratio of two sides', () => {
  const rounds = upTo(20).map((round) => upTo(9).map((value) => 1000 + round + value));
  const doubled = rounds.map((values) => values.map((value) => value * 2));

  it('has an interval that holds the ratio, the same each time', () => {
    const ratio = ratioOf(seriesOf(doubled), seriesOf(rounds));
    expect(ratio?.p50).toBeCloseTo(2, 1);
    expect(ratio?.low).toBeLessThanOrEqual(ratio?.p50 ?? 0);
    expect(ratio?.high).toBeGreaterThanOrEqual(ratio?.p50 ?? 0);
    expect(ratioOf(seriesOf(doubled), seriesOf(rounds))).toEqual(ratio);
  });

  it('is not widened by what disturbs a round of both', () => {
    const disturb = (all: readonly (readonly number[])[]) =>
      all.map((values, round) => values.map((value) => value * (1 + (round % 7))));
    const ratio = ratioOf(seriesOf(disturb(doubled)), seriesOf(disturb(rounds)));
    expect((ratio?.high ?? 9) - (ratio?.low ?? 0)).toBeLessThan(0.1);
  });

  it('has no interval from few rounds, and is none without samples', () => {
    expect(ratioOf(seriesOf(doubled.slice(0, 4)), seriesOf(rounds.slice(0, 4)))).toMatchObject({
      low: null,
      high: null,
    });
    expect(ratioOf(seriesOf(doubled), seriesOf([]))).toBeNull();
  });
});
