import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxT } from '../../../src/gate/max-t.js';

const OPTIONS = { errorRate: 0.05, resamples: 9999, seed: 1 };
const differences = (count: number, shift: number) =>
  Array.from({ length: count }, (_, index) => shift + Math.sin(7 * index));

describe('one metric', () => {
  it('of few pairs is tested exactly: its p-value is the share of sign patterns that go as far', () => {
    // By hand: of the eight patterns of 1, 2 and 3 only the two with equal signs reach a sum of 6.
    expect(maxT([[1, 2, 3]], OPTIONS)[0]?.pValue).toBe(2 / 8);
    // A sum of 4 is reached by those two and by the two that turn the 1 alone.
    expect(maxT([[-1, 2, 3]], OPTIONS)[0]?.pValue).toBe(4 / 8);
  });

  it('has the least p-value that twelve pairs allow where all of them agree', () => {
    expect(maxT([differences(12, 5)], OPTIONS)[0]?.pValue).toBe(1 / 2 ** 11);
  });

  it('has bounds around its mean that hold 0 where it is not significant', () => {
    const [effect] = maxT([differences(24, 0)], OPTIONS);
    expect(effect?.low).toBeLessThan(0);
    expect(effect?.high).toBeGreaterThan(0);
    expect(effect?.pValue).toBeGreaterThan(0.05);
  });

  it.each([
    ['zero', 0, 1],
    ['another value', 0.3, 1 / 2 ** 11],
  ])('that differs by %s in every pair has no spread', (_, value, pValue) => {
    expect(maxT([new Array(12).fill(value)], OPTIONS)).toEqual([
      { estimate: expect.closeTo(value), pValue, low: expect.closeTo(value), high: expect.closeTo(value) },
    ]);
  });
});

describe('several metrics', () => {
  it('are adjusted for each other: the p-value of one rises with their number', () => {
    const one = differences(24, 0.5);
    const others = Array.from({ length: 50 }, (_, metric) => one.map((__, pair) => Math.sin(13 * pair * (metric + 2))));
    const alone = maxT([one], OPTIONS)[0]?.pValue ?? 1;
    const among = maxT([one, ...others], OPTIONS)[0]?.pValue ?? 0;
    expect(alone).toBeLessThan(0.05);
    expect(among).toBeGreaterThan(2 * alone);
  });

  it('that are copies of one cost nothing', () => {
    const one = differences(24, 0.5);
    const [alone] = maxT([one], OPTIONS);
    expect(maxT([one, one, one], OPTIONS)[0]?.pValue).toBe(alone?.pValue);
  });

  it('by the thousand are tested in seconds', () => {
    const many = Array.from({ length: 2_000 }, (_, metric) => differences(48, metric === 7 ? 3 : 0));
    const effects = maxT(many, { ...OPTIONS, resamples: 999 });
    expect(effects.filter(({ pValue }) => pValue <= 0.05)).toHaveLength(1);
  });
});

it('depends on its seed alone, and turns with the sign of the differences', () => {
  const series = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 14, maxLength: 30 });
  fc.assert(
    fc.property(series, fc.nat(), (one, seed) => {
      const options = { ...OPTIONS, resamples: 499, seed };
      const [effect] = maxT([one], options);
      expect(maxT([one], options)[0]).toEqual(effect);
      const [turned] = maxT([one.map((difference) => -difference)], options);
      expect(turned?.pValue).toBe(effect?.pValue);
      expect(turned?.estimate).toBeCloseTo(-(effect?.estimate ?? 0));
    }),
    { numRuns: 50 },
  );
});
