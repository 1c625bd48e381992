import type { JsHistogram } from 'hdr-histogram-js';
import { latencyHistogram } from '../base/latency-histogram.js';
import type { BenchMeasurement, BenchSummary } from './result-schema.js';

/** A percentile is given where so many samples lie beyond it: p99 needs 1,000 of them, p99.9 10,000. */
const SAMPLES_BEYOND = 10;
const PERCENTILES = { p90: 90, p99: 99, 'p99.9': 99.9 } as const;
/** Up to so many samples are kept as they are; more of them as a histogram. */
const SAMPLES_KEPT = 2000;

/** Which turn of the run is under way. */
export interface TurnClock {
  readonly turn: number;
  readonly atMs: number;
}

/** What was measured of one side of a comparison, turn by turn. */
export class Series {
  readonly #kind: 'latencies' | 'figures';
  readonly #clock: TurnClock;
  readonly #values: number[] = [];
  readonly #rounds: { readonly turn: number; readonly atMs: number; readonly values: number[] }[] = [];

  /** Latencies are whole nanoseconds, and their percentiles those of an HDR histogram; figures are exact. */
  constructor(kind: 'latencies' | 'figures', clock: TurnClock) {
    this.#kind = kind;
    this.#clock = clock;
  }

  /** Adds a sample to the present round; a latency is rounded to whole nanoseconds, at least 0. */
  record(value: number): void {
    const kept = this.#kind === 'latencies' ? Math.max(0, Math.round(value)) : value;
    this.#values.push(kept);
    const { turn, atMs } = this.#clock;
    let round = this.#rounds.at(-1);
    if (round?.turn !== turn) {
      round = { turn, atMs, values: [] };
      this.#rounds.push(round);
    }
    round.values.push(kept);
  }

  /** Adds several samples to the present round. */
  recordAll(values: readonly number[]): void {
    for (const value of values) this.record(value);
  }

  /** How many samples it has. */
  get samples(): number {
    return this.#values.length;
  }

  /** The medians of its rounds, in their order. */
  get roundMedians(): number[] {
    return this.#rounds.map(({ values }) => quantile(sorted(values), 0.5));
  }

  /** Count, extremes, mean and those percentiles beyond which ten samples lie. */
  summary(): BenchSummary {
    return this.#kind === 'latencies' ? this.#summaryOfLatencies() : summarise(this.#values);
  }

  /** The series as it stands in a result: summary, distribution, and the medians of its rounds. */
  measurement(): BenchMeasurement {
    const medians = this.roundMedians;
    return {
      summary: this.summary(),
      distribution:
        this.samples > SAMPLES_KEPT && this.#kind === 'latencies'
          ? { kind: 'histogram', buckets: this.#buckets() }
          : { kind: 'samples', values: [...this.#values] },
      rounds: this.#rounds.map(({ atMs, values }, index) => ({
        atMs,
        samples: values.length,
        p50: medians[index] ?? 0,
      })),
    };
  }

  #histogram(): JsHistogram {
    const histogram = latencyHistogram();
    for (const value of this.#values) histogram.recordValue(value);
    return histogram;
  }

  #buckets(): [number, number][] {
    const histogram = this.#histogram();
    const counts = new Map<number, number>();
    for (const value of this.#values) {
      const bucket = histogram.lowestEquivalentValue(value);
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    return [...counts].toSorted(([a], [b]) => a - b);
  }

  #summaryOfLatencies(): BenchSummary {
    const samples = this.samples;
    if (samples === 0) return EMPTY;
    const histogram = this.#histogram();
    const ascending = sorted(this.#values);
    const max = ascending.at(-1) ?? 0;
    // The histogram answers the highest value that it cannot tell from the percentile.
    const at = (percentile: number) => Math.min(max, histogram.getValueAtPercentile(percentile));
    return {
      samples,
      min: ascending[0] ?? 0,
      max,
      mean: histogram.mean,
      percentiles: { p25: at(25), p50: at(50), p75: at(75), ...carried(samples, at) },
    };
  }
}

const EMPTY: BenchSummary = { samples: 0, min: 0, max: 0, mean: 0, percentiles: {} };

/** The summary of a few exact figures: bandwidths, rates, shares. */
export function summarise(values: readonly number[]): BenchSummary {
  if (values.length === 0) return EMPTY;
  const ascending = sorted(values);
  const at = (percentile: number) => quantile(ascending, percentile / 100);
  return {
    samples: values.length,
    min: at(0),
    max: at(100),
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    percentiles: { p25: at(25), p50: at(50), p75: at(75), ...carried(values.length, at) },
  };
}

/** The high percentiles that so many samples carry. */
function carried(
  samples: number,
  at: (percentile: number) => number,
): Partial<Record<keyof typeof PERCENTILES, number>> {
  const few = 1e-6;
  return Object.fromEntries(
    Object.entries(PERCENTILES)
      .filter(([, percentile]) => samples * (1 - percentile / 100) >= SAMPLES_BEYOND - few)
      .map(([name, percentile]) => [name, at(percentile)]),
  );
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);

const quantile = (ascending: readonly number[], share: number): number =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
