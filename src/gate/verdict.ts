import type { Direction, Interval } from './metric.js';

export type Verdict = 'pass' | 'regression' | 'improvement' | 'undecided';

/**
 * How a verdict came about. 'permutation': a test over interleaved pairs of process runs, with its promised error rate.
 * 'threshold': two figures and their own spread, of runs at different times; it promises no error rate. 'budget': a figure
 * against a limit.
 */
export type Method = 'permutation' | 'threshold' | 'budget';

export interface MetricVerdict {
  name: string;
  unit: string;
  direction: Direction;
  verdict: Verdict;
  method: Method;
  /** Of the base, or the budget's limit; null where there is none. */
  base: number | null;
  head: number | null;
  /** How much worse the head is, as a share of the base: 0.05 is 5 % worse, below 0 is better. Either way of `direction`. */
  worseBy: number | null;
  /** Bounds of `worseBy`; null where nothing tells them. */
  interval: Interval | null;
  /** Changes below it do not count; null for a budget. */
  minEffect: number | null;
  /** Adjusted for all metrics of the comparison; null where no test was made. */
  pValue: number | null;
  /** Of each pair, in the order in which they ran; null where nothing was run. */
  values: { base: readonly number[]; head: readonly number[] } | null;
  /** One sentence. */
  reason: string;
  /** What would settle it, where it is undecided. */
  settledBy: string | null;
}

/** What `standstill gate --json` prints. */
export interface GateReport {
  schemaVersion: 1;
  verdict: Verdict;
  method: Method;
  base: string | null;
  head: string;
  metrics: MetricVerdict[];
  warnings: string[];
  /** How the pairs were run; null where nothing was run. */
  plan: GatePlanReport | null;
}

export interface GatePlanReport {
  seed: number;
  pairs: number;
  pairsPerRound: number;
  rounds: number;
  roundsMax: number;
  /** Share of comparisons of equals that may end as regression or improvement, over all metrics and rounds. */
  errorRate: number;
}

/** The change of one metric, on the scale of ln(head / base) turned so that above 0 is worse. */
export interface Effect {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** Whether no change at all is excluded. */
  readonly isSignificant: boolean;
}

/**
 * A change counts where it is significant and at least the minimum effect; a pass says that no regression of that size is
 * there; what is neither is undecided.
 */
export function decide(effect: Effect, minEffect: number): Verdict {
  const least = Math.log1p(minEffect);
  if (effect.isSignificant && effect.estimate >= least) return 'regression';
  if (effect.isSignificant && effect.estimate <= -least) return 'improvement';
  return effect.high < least ? 'pass' : 'undecided';
}

/** Of a whole comparison: one regression outweighs everything, then what is open, then an improvement. */
export function overallVerdict(verdicts: readonly Pick<MetricVerdict, 'verdict'>[]): Verdict {
  const order: readonly Verdict[] = ['regression', 'undecided', 'improvement'];
  return order.find((verdict) => verdicts.some((one) => one.verdict === verdict)) ?? 'pass';
}
