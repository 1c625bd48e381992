import { Script } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { toBmf } from '../../../src/bench/formats/bmf.js';
import { toGithubActionBenchmark } from '../../../src/bench/formats/github-action-benchmark.js';
import { toHtml } from '../../../src/bench/formats/html.js';
import { toJunit } from '../../../src/bench/formats/junit.js';
import { toMarkdown } from '../../../src/bench/formats/markdown.js';
import type { BenchMetric, BenchResult } from '../../../src/bench/result-schema.js';

const measurement = (p25: number, p50: number, p75: number) => ({
  summary: { samples: 3, min: p25, max: p75, mean: p50, percentiles: { p25, p50, p75 } },
  distribution: { kind: 'samples' as const, values: [p25, p50, p75] },
  rounds: [],
});
const metric = (rest: Partial<BenchMetric>): BenchMetric => ({
  name: 'pause/kv-store',
  case: 'pause',
  promise: 'P1',
  title: 'pause kv-store',
  params: {},
  unit: 'ns',
  direction: 'lower',
  measurement: measurement(400, 500, 700),
  multiples: {},
  references: [],
  target: { text: 'p50 ≤ 400 ns', met: false },
  notes: [],
  details: {},
  ...rest,
});
const noise = { seconds: 1, stealShare: 0, othersShare: 0, jitterShare: 0, score: 0, load1: 0 };
const result: BenchResult = {
  format: 'standstill-bench',
  schemaVersion: 1,
  startedAt: '2026-11-24T00:00:00.000Z',
  durationMs: 1000,
  quick: false,
  environment: {
    machine: 'abc',
    cpuModel: 'a </script><b> CPU',
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
    engine: {},
    timer: { stepNs: 40, resolutionNs: 1 },
  },
  noise: { before: noise, during: noise },
  warnings: ['it was loud'],
  calibrations: [],
  metrics: [
    metric({
      references: [
        {
          role: 'limit',
          name: 'two threads | one word',
          measurement: measurement(200, 250, 300),
          ratio: { p50: 2, low: 1.9, high: 2.1, confidence: 0.95 },
          differs: '',
        },
      ],
    }),
    metric({
      name: 'cycles',
      case: 'cycles',
      title: 'cycles',
      unit: 'ops/s',
      direction: 'higher',
      measurement: measurement(1e6, 2e6, 4e6),
      target: null,
    }),
    metric({
      name: 'empty',
      case: 'empty',
      measurement: {
        summary: { samples: 0, min: 0, max: 0, mean: 0, percentiles: {} },
        distribution: { kind: 'samples', values: [] },
        rounds: [],
      },
    }),
  ],
  skipped: [{ name: 'qemu-snapshots', reason: 'qemu is not installed' }],
};

describe('a result in the formats of other tools', () => {
  it('Bencher Metric Format: medians between quartiles, by measure; nothing of what has no samples', () => {
    expect(JSON.parse(toBmf(result))).toEqual({
      'pause/kv-store': { latency: { value: 500, lower_value: 400, upper_value: 700 } },
      cycles: { throughput: { value: 2e6, lower_value: 1e6, upper_value: 4e6 } },
    });
  });

  it('github-action-benchmark: smaller is better throughout, so a rate becomes a time', () => {
    expect(JSON.parse(toGithubActionBenchmark(result))).toMatchObject([
      { name: 'pause/kv-store', unit: 'ns', value: 500, range: '± 150' },
      { name: 'cycles', unit: 'ns/op', value: 500 },
    ]);
  });

  it('JUnit: a missed target is no failure, a skipped case is skipped', () => {
    const xml = toJunit(result);
    expect(xml).toContain('tests="4" failures="0" errors="0" skipped="1"');
    expect(xml).toContain('target p50 ≤ 400 ns: missed');
    expect(xml).toContain('qemu is not installed');
  });

  it('Markdown: one table whose rows have as many cells as its head', () => {
    const rows = toMarkdown(result)
      .split('\n')
      .filter((line) => line.startsWith('|'));
    const cells = rows.map((row) => row.replaceAll('\\|', '').split('|').length);
    expect(new Set(cells).size).toBe(1);
    expect(rows.join('\n')).toContain('× 2.00 (1.90–2.10)');
  });
});

describe('the page', () => {
  const html = toHtml(result);

  it('needs nothing besides itself', () => {
    expect(html).not.toMatch(/<(link|img|iframe)\b|\bsrc=|@import|url\(/);
  });

  it('holds the whole result, whatever text is in it', () => {
    const json = /<script type="application\/json" id="result">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(JSON.parse(json)).toEqual(result);
  });

  it('holds scripts that are whole', () => {
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, code]) => code ?? '');
    expect(scripts).toHaveLength(2);
    for (const code of scripts) expect(() => new Script(code)).not.toThrow();
  });
});
