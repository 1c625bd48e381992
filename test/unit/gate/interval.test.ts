import { describe, expect, it } from 'vitest';
import { historyInterval, quantileInterval, shareInterval } from '../../../src/gate/interval.js';

const ascending = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the bounds of a median', () => {
  it.each([0, 1, 7])('need eight samples: not of %d', (count) => {
    expect(quantileInterval(ascending(count), 0.5)).toBeNull();
  });

  it('are the extremes of eight samples, between which it lies with 1 - 2 / 2^8', () => {
    expect(quantileInterval(ascending(8), 0.5)).toEqual({ low: 0, high: 7 });
  });

  it('close in with the root of the number of samples', () => {
    expect(quantileInterval(ascending(100), 0.5)).toEqual({ low: 36, high: 63 });
  });

  it('agree where the binomial distribution gives way to the normal one', () => {
    const exact = quantileInterval(ascending(10_000), 0.9);
    const normal = quantileInterval(ascending(10_001), 0.9);
    expect(Math.abs((exact?.low ?? 0) - (normal?.low ?? 0))).toBeLessThan(5);
    expect(Math.abs((exact?.high ?? 0) - (normal?.high ?? 0))).toBeLessThan(5);
  });
});

it('a history needs five values, and one that is far out does not widen it', () => {
  expect(historyInterval([1, 2, 3, 4])).toBeNull();
  expect(historyInterval([100, 101, 99, 100, 900])).toEqual({
    low: expect.closeTo(95.55),
    high: expect.closeTo(104.45),
  });
});

// Figures from tables of Clopper and Pearson's interval.
it.each([
  [0, 300, 0, 0.01222],
  [3, 300, 0.00207, 0.02894],
  [10, 10, 0.6915, 1],
])('%d of %d', (hits, trials, low, high) => {
  const interval = shareInterval(hits, trials);
  expect(interval.low).toBeCloseTo(low, 3);
  expect(interval.high).toBeCloseTo(high, 3);
});
