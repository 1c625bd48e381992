import { describe, expect, it } from 'vitest';
import { type AbProgress, compareByRuns, type Side } from '../../../src/gate/ab.js';
import type { Metric, Result } from '../../../src/gate/metric.js';
import { metric, resultOf } from './samples.js';

const PLAN = { seed: 3, minEffectOf: () => 0.05 };
const names = { base: 'old', head: 'new' };

/** Runs of which the n-th gives what `metricsOf` says. */
function comparing(metricsOf: (side: Side, run: number) => Metric[], plan = {}) {
  const sides: Side[] = [];
  const progress: AbProgress[] = [];
  const measure = async (side: Side): Promise<Result> => {
    sides.push(side);
    return resultOf(side, ...metricsOf(side, sides.length));
  };
  const report = compareByRuns({ ...PLAN, ...plan }, { names, measure, onProgress: (one) => progress.push(one) });
  return { report, sides, progress };
}

/** Even over a few runs, so that its bounds are narrow. */
const wobble = (run: number) => 1 + ((run * 5) % 7) / 700;

describe('runs', () => {
  it('alternate in pairs, each side as often, the first by the seed', async () => {
    const { report, sides } = comparing((_, run) => [metric('a', wobble(run))]);
    await report;
    expect(sides.join(' ')).toMatch(/^((base head head base ?){6}|(head base base head ?){6})$/);
    const orders = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map(async (seed) => {
        const other = comparing((_, run) => [metric('a', wobble(run))], { seed });
        await other.report;
        return other.sides[0];
      }),
    );
    expect(new Set(orders)).toEqual(new Set(['base', 'head']));
  });

  it('go on in rounds while something is undecided, four at most', async () => {
    const { report, progress } = comparing((_, run) => [metric('a', Math.exp(((run * 5) % 13) / 4))]);
    expect(await report).toMatchObject({ verdict: 'undecided', plan: { pairs: 48, rounds: 4, roundsMax: 4 } });
    expect(progress).toHaveLength(96);
    expect(progress.at(-1)).toEqual({ round: 4, roundsMax: 4, runsDone: 23, runsOfRound: 24 });
  });

  it('end at the first regression, even where another metric is open', async () => {
    const { report } = comparing((side, run) => [
      metric('slower', (side === 'head' ? 1.5 : 1) * wobble(run)),
      metric('noisy', Math.exp(((run * 5) % 13) / 4)),
    ]);
    expect(await report).toMatchObject({
      verdict: 'regression',
      plan: { rounds: 1 },
      metrics: [
        { verdict: 'regression' },
        { verdict: 'undecided', settledBy: expect.stringMatching(/pairs|minimum effect/) },
      ],
    });
  });

  it('end with the failure of one of them', async () => {
    const failing = comparing((_, run) => {
      if (run === 9) throw new Error('out of coffee');
      return [metric('a', 1)];
    });
    await expect(failing.report).rejects.toThrow('out of coffee');
    expect(failing.sides).toHaveLength(9);
  });
});

describe('metrics', () => {
  it('are held against their own minimum effects', async () => {
    const { report } = comparing(
      (side, run) => ['a', 'b'].map((name) => metric(name, (side === 'head' ? 1.08 : 1) * wobble(run))),
      { minEffectOf: (name: string) => (name === 'a' ? 0.05 : 0.2) },
    );
    expect((await report).metrics).toMatchObject([{ verdict: 'regression' }, { verdict: 'pass' }]);
  });

  it('of which more is better are worse when they fall', async () => {
    const { report } = comparing((side, run) => [
      metric('rate', (side === 'head' ? 0.5 : 1) * wobble(run), { direction: 'higher' }),
    ]);
    const [rate] = (await report).metrics;
    expect(rate?.verdict).toBe('regression');
    expect(rate?.worseBy).toBeCloseTo(1, 1);
  });

  it('that one side lacks are named, and the others compared', async () => {
    const { report } = comparing((side, run) => [metric('a', wobble(run)), metric(`only-${side}`, 1)]);
    const { metrics, warnings } = await report;
    expect(metrics.map(({ name }) => name)).toEqual(['a']);
    expect(warnings).toHaveLength(2);
  });

  it('that a later run lacks are an error of the command', async () => {
    const { report } = comparing((_, run) => [metric('a', 1), ...(run === 7 ? [] : [metric('b', 1)])]);
    await expect(report).rejects.toMatchObject({
      code: 'ERR_GATE_COMMAND',
      message: expect.stringMatching(/^Expected 'b' in ns of every run but one of (base|head) had none$/),
    });
  });

  it.each([
    ['always the same pass', [5, 5], 'pass', 'between +0.0 % and +0.0 % over 12 pairs'],
    ['always 0 pass', [0, 0], 'pass', 'equal in every pair'],
    ['of 0 on one side are undecided', [0, 3], 'undecided', 'values of 0 or below have no ratio'],
    ['below 0 are undecided', [-1, -2], 'undecided', 'values of 0 or below have no ratio'],
    [
      'that a count raises in every run are a regression',
      [10, 12],
      'regression',
      'between +20.0 % and +20.0 % over 12 pairs',
    ],
  ] as const)('%s', async (_, [base, head], verdict, reason) => {
    const { report } = comparing((side) => [metric('count', side === 'base' ? base : head)]);
    expect((await report).metrics[0]).toMatchObject({ verdict, reason });
  });

  it('that are so many that a round of twelve pairs cannot bound them take a second one', async () => {
    const spread = (index: number, run: number) => 1 + ((run * (index + 3) * 5) % 101) / 50_000;
    const many = (side: Side, run: number) =>
      Array.from({ length: 200 }, (_, index) =>
        metric(`m${index}`, (side === 'head' && index === 0 ? 1.3 : 1) * spread(index, run)),
      );
    const one = await comparing(many, { roundsMax: 1, errorRate: 0.001 }).report;
    expect(one.metrics[0]).toMatchObject({
      verdict: 'undecided',
      interval: null,
      reason: '12 pairs are too few to bound so many metrics',
    });
    const { metrics, plan } = await comparing(many).report;
    expect(metrics.filter(({ verdict }) => verdict === 'regression').map(({ name }) => name)).toEqual(['m0']);
    expect(plan?.rounds).toBe(2);
  });
});
