import type { MinEffectOf } from '../../../src/gate/compare.js';
import { judgePairs, type PairedSeries } from '../../../src/gate/paired.js';
import { overallVerdict, type Verdict } from '../../../src/gate/verdict.js';
import { metric } from './samples.js';

/** What a machine and a benchmark do to the figures, beside what the code does. */
export interface Noise {
  /** Of a process run, as a share: memory layout, scheduling, what the machine did meanwhile. All metrics share half. */
  readonly processSpread: number;
  /** Of a sample within its process. */
  readonly sampleSpread: number;
  /** Probability that a run is disturbed, and made up to ten times as slow. */
  readonly spikes: number;
  /** By how much the machine slows down over the pairs, as a share. */
  readonly drift: number;
  /** By how much the second run of a pair is slower than the first, as a share. */
  readonly order: number;
}

export const QUIET: Noise = { processSpread: 0.02, sampleSpread: 0.05, spikes: 0, drift: 0, order: 0 };
export const SHARED_RUNNER: Noise = { processSpread: 0.06, sampleSpread: 0.2, spikes: 0.03, drift: 0.5, order: 0.03 };

/** mulberry32: far faster than the library's generator, of which the simulation would need a hundred million numbers. */
function fastRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Machine {
  readonly #random: () => number;
  readonly #noise: Noise;
  #runs = 0;

  constructor(seed: number, noise: Noise) {
    this.#random = fastRandom(Math.imul(seed, 0x9e3779b1));
    this.#noise = noise;
  }

  /** One process run: samples of each metric, whose true value is 1000 times `slowdown`. */
  run(metrics: number, samples: number, slowdown: number, isSecond: boolean): number[][] {
    const { processSpread, sampleSpread, spikes, drift, order } = this.#noise;
    const common = this.#normal() * processSpread * Math.SQRT1_2;
    const spike = this.#random() < spikes ? 1 + 9 * this.#random() ** 3 : 1;
    const place = (1 + drift * (this.#runs / 96)) * (isSecond ? 1 + order : 1);
    this.#runs += 1;
    return Array.from({ length: metrics }, () => {
      const level = 1000 * slowdown * place * spike * Math.exp(common + this.#normal() * processSpread * Math.SQRT1_2);
      return Array.from({ length: samples }, () => level * Math.exp(this.#normal() * sampleSpread));
    });
  }

  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random()));
    return radius * Math.cos(2 * Math.PI * this.#random());
  }
}

/** How a comparison is decided; all but the first are unsound, and stand as controls. */
export type Procedure = 'ours' | 'samples as the unit' | 'each metric alone' | 'each look at the whole error rate';

export interface Comparison {
  readonly metrics: number;
  readonly slowdown: number;
  readonly noise: Noise;
  readonly errorRate: number;
  readonly minEffect: number;
  readonly procedure: Procedure;
}

const PAIRS = 12;
const ROUNDS = 4;
const SAMPLES = 5;
/** Fewer than the gate takes, so that thousands of comparisons take seconds: the test is as valid, and a little coarser. */
const RESAMPLES = 599;

/** One comparison from its first run to its verdict, as `gate ab` does it. */
export function simulate(seed: number, comparison: Comparison): Verdict {
  const { metrics, slowdown, noise, procedure } = comparison;
  const machine = new Machine(seed, noise);
  const sampled = procedure === 'samples as the unit';
  const names = Array.from({ length: metrics }, (_, index) => metric(`m${index}`, 0));
  const series = names.map((one) => ({ metric: one, base: [] as number[], head: [] as number[] }));
  for (let round = 1; ; round += 1) {
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const isHeadFirst = (pair + round * PAIRS) % 2 === 1;
      const first = machine.run(metrics, SAMPLES, isHeadFirst ? slowdown : 1, false);
      const second = machine.run(metrics, SAMPLES, isHeadFirst ? 1 : slowdown, true);
      const [base, head] = isHeadFirst ? [second, first] : [first, second];
      for (const [index, one] of series.entries()) {
        one.base.push(...summarised(base[index] ?? [], sampled));
        one.head.push(...summarised(head[index] ?? [], sampled));
      }
    }
    const verdict = judge(series, seed, comparison);
    if (verdict !== 'undecided' || round === ROUNDS) return verdict;
  }
}

const summarised = (samples: readonly number[], sampled: boolean): readonly number[] =>
  sampled ? samples : [samples.toSorted((a, b) => a - b)[(SAMPLES - 1) / 2] ?? Number.NaN];

function judge(
  series: readonly PairedSeries[],
  seed: number,
  { errorRate, minEffect, procedure }: Comparison,
): Verdict {
  const looks = procedure === 'each look at the whole error rate' ? 1 : ROUNDS;
  const minEffectOf: MinEffectOf = () => minEffect;
  const test = { errorRate: errorRate / looks, resamples: RESAMPLES, seed, minEffectOf };
  if (procedure === 'each metric alone') return overallVerdict(series.flatMap((one) => judgePairs([one], test)));
  return overallVerdict(judgePairs(series, test));
}

/** How many of so many comparisons end as one of the verdicts. */
export function countVerdicts(comparisons: number, comparison: Comparison, counted: readonly Verdict[]): number {
  let count = 0;
  for (let seed = 1; seed <= comparisons; seed += 1) {
    if (counted.includes(simulate(seed, comparison))) count += 1;
  }
  return count;
}
