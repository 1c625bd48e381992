import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Direction, type Metric, plainResult, type Result } from '../../../src/gate/metric.js';
import { parseResults } from '../../../src/gate/read/format.js';

export const samplePath = (name: string): string => join(import.meta.dirname, 'samples', name);

export const readSample = (name: string): Result[] => parseResults(readFileSync(samplePath(name), 'utf8'), name);

/** The newest result of a sample file. */
export function newestOf(name: string): Result {
  const result = readSample(name).at(-1);
  if (result === undefined) throw new Error(`${name} has no result`);
  return result;
}

export const metric = (name: string, value: number, more: Partial<Metric> = {}): Metric => ({
  name,
  unit: 'ns',
  direction: 'lower' as Direction,
  value,
  interval: null,
  ...more,
});

export const resultOf = (source: string, ...metrics: Metric[]): Result => plainResult(source, 'test', metrics);

/** A measurement as `standstill bench` writes it. */
export function benchMeasurement(percentiles: Record<string, number>, values: number[], rounds: number[] = []) {
  return {
    summary: { samples: values.length, min: 0, max: 0, mean: 0, percentiles },
    distribution: { kind: 'samples', values },
    rounds: rounds.map((p50, index) => ({ atMs: index, samples: 1, p50 })),
  };
}

/** A result as `standstill bench` writes it, with what the gate needs of it. */
export function benchResult(
  more: { machine?: string; pauseP99?: number; warnings?: string[]; noise?: number } = {},
): string {
  const { machine = 'one', pauseP99 = 9_000, warnings = [], noise = 2 } = more;
  const values = Array.from({ length: 1000 }, (_, index) => 500 + index);
  const named = (name: string, unit: string, direction: Direction, measurement: object) => ({
    name,
    unit,
    direction,
    measurement,
  });
  return JSON.stringify({
    format: 'standstill-bench',
    schemaVersion: 1,
    environment: { machine },
    noise: { during: { score: noise } },
    warnings,
    calibrations: [named('handshake', 'ns', 'lower', benchMeasurement({ p50: 400 }, values))],
    metrics: [
      named('pause', 'ns', 'lower', benchMeasurement({ p50: 1_000, p90: 1_300, p99: pauseP99 }, values)),
      named('digest/2-threads', 'GB/s', 'higher', benchMeasurement({ p50: 20 }, [19, 20, 21])),
    ],
    skipped: [{ name: 'peers', reason: 'qemu is not installed' }],
  });
}
