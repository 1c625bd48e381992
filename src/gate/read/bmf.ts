import { z } from 'zod';
import { type Direction, type Metric, plainResult, type Result } from '../metric.js';
import { directionOfUnit, normaliseUnit } from '../units.js';
import type { Format } from './format.js';
import { finite, mapOf, parseContent } from './schema.js';

const measure = z.object({ value: finite, lower_value: finite.optional(), upper_value: finite.optional() });
const schema = mapOf(mapOf(measure, 'measures'), 'benchmarks');

/** Bencher's built-in measures and their units; the file itself has none. */
const UNITS: Readonly<Record<string, string>> = {
  latency: 'ns',
  throughput: 'ops/s',
  'build-time': 's',
  'file-size': 'bytes',
};

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Bencher Metric Format: benchmark, measure, value; a figure is named `benchmark.measure`. */
export const bmf: Format = {
  name: 'Bencher Metric Format',
  matches: (content) =>
    isObject(content) &&
    Object.values(content).every(
      (measures) => isObject(measures) && Object.values(measures).every((one) => isObject(one) && 'value' in one),
    ),
  read(content, source): Result[] {
    const benchmarks = parseContent(schema, content, source);
    const metrics = Object.entries(benchmarks).flatMap(([benchmark, measures]) =>
      Object.entries(measures).map(([name, one]) => figureOf(benchmark, name, one)),
    );
    return [plainResult(source, this.name, metrics)];
  },
};

function figureOf(benchmark: string, measureName: string, one: z.infer<typeof measure>): Metric {
  const { unit, scale } = normaliseUnit(UNITS[measureName] ?? '');
  const direction: Direction = directionOfUnit(unit);
  const { value, lower_value: low, upper_value: high } = one;
  return {
    name: `${benchmark}.${measureName}`,
    unit,
    direction,
    value: value * scale,
    interval: low === undefined || high === undefined ? null : { low: low * scale, high: high * scale },
  };
}
