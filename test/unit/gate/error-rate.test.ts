// The promise of `gate ab`, by simulation: comparisons of equals rarely end as anything but pass or undecided, whatever
// the noise, and a real slow-down is found. Three controls, each without one of the means, break the promise.
import { describe, expect, it } from 'vitest';
import { shareInterval } from '../../../src/gate/interval.js';
import { type Comparison, countVerdicts, type Noise, type Procedure, QUIET, SHARED_RUNNER } from './simulation.js';

const TIMEOUT = { timeout: 180_000 };
/** Above the one of the gate, so that it can be told from less with fewer comparisons. */
const ERROR_RATE = 0.05;
/** So small that a significant change counts whatever its size: the test alone keeps the promise. */
const ANY_EFFECT = 1e-9;

const equals = (noise: Noise, procedure: Procedure, metrics = 3): Comparison => ({
  metrics,
  slowdown: 1,
  noise,
  errorRate: ERROR_RATE,
  minEffect: ANY_EFFECT,
  procedure,
});
const falseAlarms = (comparisons: number, comparison: Comparison) =>
  countVerdicts(comparisons, comparison, ['regression', 'improvement']);

describe('comparisons of equals', () => {
  it.each([
    ['a quiet machine', QUIET],
    ['a shared runner: heavy tails, drift, an effect of the order', SHARED_RUNNER],
    ['spikes in every fifth run', { ...SHARED_RUNNER, spikes: 0.2 }],
  ])('on %s end as a change no more often than promised', TIMEOUT, (_, noise) => {
    const comparisons = 1000;
    const alarms = falseAlarms(comparisons, equals(noise, 'ours'));
    expect(alarms / comparisons).toBeLessThanOrEqual(ERROR_RATE);
  });
});

describe('controls: without', () => {
  it.each([
    ['the process run as the unit, its samples taken as independent', 'samples as the unit', 1],
    ['the maximum statistic, with ten metrics', 'each metric alone', 10],
    ['the error rate split over the rounds', 'each look at the whole error rate', 1],
  ] as const)('%s, the promise is broken', TIMEOUT, (_, procedure, metrics) => {
    const comparisons = 200;
    const alarms = falseAlarms(comparisons, equals(QUIET, procedure, metrics));
    expect(shareInterval(alarms, comparisons).low).toBeGreaterThan(ERROR_RATE);
  });
});

describe('a slow-down of all metrics, with the minimum effect and the error rate of the gate', () => {
  const detected = (slowdown: number, noise: Noise) =>
    countVerdicts(100, { ...equals(noise, 'ours'), slowdown, errorRate: 0.01, minEffect: 0.05 }, ['regression']) / 100;

  it('of 20 % is found on a shared runner', TIMEOUT, () => {
    expect(detected(1.2, SHARED_RUNNER)).toBeGreaterThanOrEqual(0.95);
  });

  it('of 10 % is found on a quiet machine, and one of 2 % is none', TIMEOUT, () => {
    expect(detected(1.1, QUIET)).toBeGreaterThanOrEqual(0.95);
    expect(detected(1.02, QUIET)).toBeLessThanOrEqual(0.02);
  });
});
