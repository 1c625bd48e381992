import { describe, expect, it } from 'vitest';
import {
  BENCH_RESULT_FORMAT,
  BENCH_RESULT_VERSION,
  benchResultJsonSchema,
  benchResultSchema,
} from '../../../src/bench/result-schema.js';

const summary = { samples: 3, min: 1, max: 3, mean: 2, percentiles: { p25: 1, p50: 2, p75: 3 } };
const measurement = { summary, distribution: { kind: 'samples', values: [1, 3, 2] }, rounds: [] };
const noise = { seconds: 1, stealShare: 0, othersShare: 0.1, jitterShare: null, score: 10, load1: 0.5 };
const result = {
  format: BENCH_RESULT_FORMAT,
  schemaVersion: BENCH_RESULT_VERSION,
  startedAt: '2026-11-24T00:00:00.000Z',
  durationMs: 1000,
  quick: false,
  environment: {
    machine: 'abc',
    cpuModel: 'a CPU',
    cores: 2,
    memoryBytes: 2 ** 30,
    kernel: '6.18',
    architecture: 'x64',
    governor: null,
    hugePages: null,
    virtualised: true,
    container: { cpus: null, memoryBytes: null },
    commit: null,
    versions: { node: '20' },
    engine: { poolThreads: 2 },
    timer: { stepNs: 40, resolutionNs: 1 },
  },
  noise: { before: noise, during: noise },
  warnings: [],
  calibrations: [{ name: 'handshake', title: 'two threads', unit: 'ns', direction: 'lower', measurement }],
  metrics: [
    {
      name: 'pause/kv-store',
      case: 'pause',
      promise: 'P1',
      title: 'pause of kv-store',
      params: { program: 'kv-store' },
      unit: 'ns',
      direction: 'lower',
      measurement,
      multiples: { handshake: 1 },
      references: [],
      target: null,
      notes: [],
      details: {},
    },
  ],
  skipped: [],
};

describe('the schema of a benchmark result', () => {
  it('takes a result as it is, and ignores what a later minor change adds', () => {
    expect(benchResultSchema.parse(result)).toEqual(result);
    expect(benchResultSchema.parse({ ...result, later: 1 })).toEqual(result);
  });

  it('refuses another version, a unit that it does not know, and a figure that is none', () => {
    const [metric] = result.metrics;
    const figures = { ...measurement, summary: { ...summary, mean: Number.NaN } };
    for (const wrong of [
      { ...result, schemaVersion: 2 },
      { ...result, metrics: [{ ...metric, unit: 'parsecs' }] },
      { ...result, metrics: [{ ...metric, measurement: figures }] },
    ]) {
      expect(benchResultSchema.safeParse(wrong).success).toBe(false);
    }
  });

  it('is exported as JSON Schema', () => {
    expect(benchResultJsonSchema()).toMatchObject({
      $schema: expect.stringContaining('json-schema.org'),
      properties: { schemaVersion: { const: BENCH_RESULT_VERSION } },
    });
  });
});
