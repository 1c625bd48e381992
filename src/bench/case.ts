import type { Addon } from '../native/contract.js';
import type { LimitsServer, StoreCostServer } from './native/server.js';
import type { BenchDirection, BenchUnit } from './result-schema.js';
import type { Series } from './series.js';
import type { ThroughputPlan, ThroughputSide } from './throughput.js';

/** What a run may be given instead of a case's own choice; each case says which of them it takes. */
export interface BenchParams {
  memoryBytes?: number | undefined;
  vms?: number | undefined;
  program?: string | undefined;
  /** Written between two snapshots, digests or rollbacks. */
  dirtyBytes?: number | undefined;
}
export type BenchParamName = keyof BenchParams;

/** One side of a comparison: called once a round. The first round warms up, and nothing of it is recorded. */
export type Side = (round: { readonly warmUp: boolean }) => unknown;

/** What a case has at hand. */
export interface BenchContext {
  readonly addon: Addon;
  /** The program that measures what the machine can do at best; null where it could not be built. */
  readonly limits: LimitsServer | null;
  /** Fewer samples: says that it works, not how fast it is. */
  readonly quick: boolean;
  readonly params: BenchParams;
  /** Of the machine's memory, when the case begins. */
  readonly freeBytes: number;
  /** What one reading of the clock takes. */
  readonly timerStepNs: number;
  /** Aborts where the run is interrupted; `inTurns` and `throughput` reject then. */
  readonly signal: AbortSignal;
  /** The program that runs a guest with and without the engine's costs; the case is skipped where it could not be built. */
  openStoreCost(): Promise<StoreCostServer>;
  /** A process that works for the case is no noise. */
  addChild(pid: number | undefined): void;
  /** A series of latencies in whole nanoseconds, whose percentiles are kept in a histogram. */
  latencies(): Series;
  /** A series of any figures, such as rates and sizes. */
  figures(values?: readonly number[]): Series;
  /** Runs the sides in turns, in an order that alternates: so many rounds after one to warm up. */
  inTurns(rounds: number, sides: readonly Side[]): Promise<void>;
  /** Operations a second by the `benchmark` package, the sides in turns. */
  throughput(sides: readonly ThroughputSide[], plan: ThroughputPlan): Promise<Map<string, Series>>;
}

/** A limit of the machine, a peer that a user would pick instead, or ours under other circumstances. */
export interface ReferenceDraft {
  readonly name: string;
  readonly series: Series;
  readonly differs?: string;
}

/** What a case has measured. */
export interface MetricDraft {
  /** Begins with the case's name. */
  readonly title: string;
  /** Default 'ns'. */
  readonly unit?: BenchUnit;
  /** Default: lower, but for rates and bandwidths. */
  readonly direction?: BenchDirection;
  readonly ours: Series;
  readonly params?: Readonly<Record<string, string | number | boolean>>;
  readonly limit?: ReferenceDraft | null;
  readonly peers?: readonly (ReferenceDraft | null)[];
  readonly baseline?: ReferenceDraft | null;
  /** By percentile, or 'max'; `met` where it is none of them. */
  readonly target?: {
    readonly text: string;
    readonly atMost?: Readonly<Record<string, number>>;
    readonly atLeast?: Readonly<Record<string, number>>;
    readonly met?: boolean | null;
  };
  /** Metrics of the same chart are drawn together. */
  readonly chart?: { readonly title: string; readonly label: string };
  readonly notes?: readonly string[];
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Thrown by a case that cannot run here, or whose peer fails, with the reason: it is then skipped. */
export class CaseSkipped extends Error {}

/** A benchmark: how it is named and chosen, and what it does. */
export interface BenchCase {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  /** The promise that it measures, by its number; null: none. */
  readonly promise: string | null;
  readonly summary: string;
  /** Which parameters it takes. */
  readonly params?: readonly BenchParamName[];
  /** About how long a full run takes, for the time left. Default 5. */
  readonly seconds?: number;
  /** Measures, in turns where it compares, and answers the metrics. May reject: the run then ends with that error. */
  run(context: BenchContext): Promise<readonly MetricDraft[]>;
}
