import { randomInt } from 'node:crypto';
import { StandstillError } from '../base/errors.js';
import { Prng } from '../base/prng.js';
import { type MinEffectOf, pairMetrics } from './compare.js';
import type { Metric, Result } from './metric.js';
import { judgePairs, type PairedSeries } from './paired.js';
import { type GateReport, overallVerdict } from './verdict.js';

export const PAIRS_MIN = 12;
export const ROUNDS_MAX = 4;
export const ERROR_RATE = 0.01;
const RESAMPLES = 9999;
export const SEED_LIMIT = 2 ** 32;

export type Side = 'base' | 'head';

export interface AbPlan {
  /** Pairs of process runs before each look at the data, 12 at least. Default 12. */
  readonly pairsPerRound?: number;
  /** Looks at the data at most, 1 to 4. Default 4. */
  readonly roundsMax?: number;
  /** Share of comparisons of equals that may end as regression or improvement, over all metrics and rounds. Default 0.01. */
  readonly errorRate?: number;
  /** Decides the order of the first pair and the resampling. Default: random. */
  readonly seed?: number;
  readonly minEffectOf: MinEffectOf;
}

export interface AbProgress {
  readonly round: number;
  readonly roundsMax: number;
  readonly runsDone: number;
  readonly runsOfRound: number;
}

export interface AbRun {
  /** Names of the two, for people. */
  readonly names: Readonly<Record<Side, string>>;
  /** Runs one process of a side to its end. */
  readonly measure: (side: Side) => Promise<Result>;
  readonly onProgress?: (progress: AbProgress) => void;
}

/**
 * Runs both sides by turns, AB then BA, and looks at all metrics together after each round, until everything is decided,
 * something is a regression, or the rounds are over. Each look has an equal part of the error rate, set in advance.
 * Whatever `measure` throws ends it.
 */
export async function compareByRuns(plan: AbPlan, run: AbRun): Promise<GateReport> {
  const { pairsPerRound = PAIRS_MIN, roundsMax = ROUNDS_MAX, errorRate = ERROR_RATE, minEffectOf } = plan;
  const seed = plan.seed ?? randomInt(SEED_LIMIT);
  const startsWithHead = new Prng(BigInt(seed)).nextBelow(2) === 1;
  const pairs: Record<Side, Result>[] = [];
  for (let round = 1; ; round += 1) {
    for (let index = 0; index < pairsPerRound; index += 1) {
      const sides: Side[] = (pairs.length % 2 === 0) === startsWithHead ? ['head', 'base'] : ['base', 'head'];
      const measured = new Map<Side, Result>();
      for (const side of sides) {
        const runsDone = 2 * index + measured.size;
        run.onProgress?.({ round, roundsMax, runsDone, runsOfRound: 2 * pairsPerRound });
        measured.set(side, await run.measure(side));
      }
      pairs.push(Object.fromEntries(measured) as Record<Side, Result>);
    }
    const { series, warnings } = seriesOf(pairs);
    const metrics = judgePairs(series, { errorRate: errorRate / roundsMax, resamples: RESAMPLES, seed, minEffectOf });
    const verdict = overallVerdict(metrics);
    if (verdict !== 'undecided' || round === roundsMax) {
      return {
        schemaVersion: 1,
        verdict,
        method: 'permutation',
        base: run.names.base,
        head: run.names.head,
        metrics,
        warnings,
        plan: { seed, pairs: pairs.length, pairsPerRound, rounds: round, roundsMax, errorRate },
      };
    }
  }
}

/** The metrics that every run of both sides gave. */
function seriesOf(pairs: readonly Record<Side, Result>[]): { series: PairedSeries[]; warnings: string[] } {
  const [first] = pairs;
  if (first === undefined) return { series: [], warnings: [] };
  const { shared, warnings } = pairMetrics(first.base, first.head);
  const series = shared.map(([base, head]) => ({
    metric: base,
    base: pairs.map((pair) => metricValue(pair.base, base)),
    head: pairs.map((pair) => metricValue(pair.head, head)),
  }));
  return { series, warnings: [...warnings] };
}

function metricValue(result: Result, { name, unit }: Metric): number {
  const metric = result.metrics.get(name);
  if (metric?.unit === unit) return metric.value;
  throw new StandstillError(
    'ERR_GATE_COMMAND',
    `Expected '${name}' in ${unit || 'the same unit'} of every run but one of ${result.source} had ${metric ? `it in ${metric.unit}` : 'none'}`,
  );
}
