import { z } from 'zod';
import { quantileInterval } from '../interval.js';
import { byName, type Interval, type Metric, type Result } from '../metric.js';
import { normaliseUnit } from '../units.js';
import type { Format } from './format.js';
import { finite, listOf, mapOf, parseContent, text } from './schema.js';

/** The percentiles that a budget or a comparison may name, and beyond how many samples each of them is given. */
const QUANTILES: Readonly<Record<string, number>> = { p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999 };
const SAMPLES_BEYOND = 10;

// What the gate needs of `standstill bench`'s result; it ignores the rest.
const measurement = z.object({
  summary: z.object({ samples: finite, percentiles: mapOf(finite, 'numbers') }),
  distribution: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('samples'), values: listOf(finite, 'numbers') }),
    z.object({
      kind: z.literal('histogram'),
      buckets: listOf(z.tuple([finite, finite], 'a pair [value, count]'), '[value, count]'),
    }),
  ]),
  rounds: listOf(z.object({ p50: finite }), 'rounds'),
});
const measured = z.object({ name: text, unit: text, direction: z.enum(['lower', 'higher']), measurement });
const schema = z.object({
  format: z.literal('standstill-bench'),
  schemaVersion: z.literal(1, 'version 1, the only one that this release reads,'),
  environment: z.object({ machine: text }),
  noise: z.object({ during: z.object({ score: finite }) }),
  warnings: listOf(text, 'texts'),
  calibrations: listOf(measured, 'calibrations'),
  metrics: listOf(measured, 'metrics'),
  skipped: listOf(z.object({ name: text, reason: text }), 'skipped cases'),
});

type Measured = z.infer<typeof measured>;

/** What `standstill bench --out` writes: each percentile of each metric is a figure, `pause.p99`. */
export const standstill: Format = {
  name: 'standstill bench',
  matches: (content) => Reflect.get(content, 'format') === 'standstill-bench',
  read(content, source): Result[] {
    const result = parseContent(schema, content, source);
    return [
      {
        source,
        format: this.name,
        machine: result.environment.machine,
        noiseScore: result.noise.during.score,
        metrics: byName(result.metrics.flatMap(figuresOf)),
        calibrations: byName(result.calibrations.flatMap(figuresOf)),
        absent: new Map([
          ...result.metrics.flatMap(absentFigures),
          ...result.skipped.map(({ name, reason }) => [name, reason] as const),
        ]),
        warnings: result.warnings.map((warning) => `${source}: ${warning}`),
      },
    ];
  },
};

function figuresOf({ name, unit: writtenUnit, direction, measurement }: Measured): Metric[] {
  const { unit, scale } = normaliseUnit(writtenUnit);
  return Object.entries(QUANTILES).flatMap(([percentile, quantile]) => {
    const value = measurement.summary.percentiles[percentile];
    if (value === undefined) return [];
    const interval = intervalOf(measurement, quantile);
    return [
      {
        name: `${name}.${percentile}`,
        unit,
        direction,
        value: value * scale,
        interval: interval && { low: interval.low * scale, high: interval.high * scale },
      },
    ];
  });
}

/** Rounds are further apart than samples in a row, so a median's spread over them is the more honest one. */
function intervalOf({ distribution, rounds }: z.infer<typeof measurement>, quantile: number): Interval | null {
  if (quantile === 0.5) {
    const overRounds = quantileInterval(
      rounds.map(({ p50 }) => p50).toSorted((a, b) => a - b),
      quantile,
    );
    if (overRounds !== null) return overRounds;
  }
  const samples =
    distribution.kind === 'samples'
      ? distribution.values.toSorted((a, b) => a - b)
      : distribution.buckets.flatMap(([value, count]) => new Array<number>(count).fill(value));
  return quantileInterval(samples, quantile);
}

function absentFigures({ name, measurement: { summary } }: Measured): [string, string][] {
  return Object.entries(QUANTILES)
    .filter(([percentile]) => summary.percentiles[percentile] === undefined)
    .map(([percentile, quantile]) => {
      const needed = Math.round(SAMPLES_BEYOND / (1 - quantile)).toLocaleString('en');
      return [`${name}.${percentile}`, `it needs ${needed} samples, and there are ${summary.samples}`];
    });
}
