import { describe, expect, it } from 'vitest';
import { parseResults } from '../../../src/gate/read/format.js';
import { benchResult, newestOf, readSample } from './samples.js';

const metricsOf = (name: string) => [...newestOf(name).metrics.values()];
const failing = (json: string) => () => parseResults(json, 'file.json');

describe('results of other tools', () => {
  it("hyperfine's: medians in ns, with the bounds of its runs", () => {
    const [first] = metricsOf('hyperfine-base.json');
    expect(first).toMatchObject({ name: 'sleep 0.01', unit: 'ns', direction: 'lower' });
    expect(first?.value).toBeCloseTo(11_753_991, 0);
    expect(first?.interval?.low).toBeLessThan(first?.value ?? 0);
    expect(first?.interval?.high).toBeGreaterThan(first?.value ?? 0);
  });

  it("vitest bench's: means with their margin of error", () => {
    const metrics = metricsOf('vitest-base.json');
    expect(metrics.map(({ name }) => name)).toEqual([
      'sort.bench.ts > sort > toSorted',
      'sort.bench.ts > sort > copy and sort',
    ]);
    expect(metrics[0]?.value).toBeCloseTo(77_880.86, 1);
    expect(metrics[0]?.interval?.high).toBeCloseTo(77_880.86 + 2_500.7, 1);
  });

  it("vitest bench's with samples: medians", () => {
    const json = JSON.stringify({
      files: [
        {
          groups: [
            {
              fullName: 'group',
              benchmarks: [{ name: 'one', mean: 9, moe: 1, median: 5, samples: [5, 4, 6, 5, 4, 6, 5, 40] }],
            },
          ],
        },
      ],
    });
    expect(parseResults(json, 'file')[0]?.metrics.get('group > one')).toMatchObject({
      value: 5e6,
      interval: { low: 4e6, high: 40e6 },
    });
  });

  it("Bencher's: units and directions of its built-in measures", () => {
    expect(metricsOf('bmf.json')).toMatchObject([
      { name: 'parse.latency', unit: 'ns', direction: 'lower', value: 88, interval: { low: 87.42, high: 88.88 } },
      { name: 'parse.throughput', unit: 'ops/s', direction: 'higher' },
      { name: './build.sh.build-time', unit: 'ns', value: 87e9, interval: null },
      { name: 'binary.file-size', unit: 'bytes', value: 42 },
    ]);
  });

  it("github-action-benchmark's list: ranges and rates", () => {
    expect(metricsOf('github-action-benchmark.json')).toMatchObject([
      { name: 'fib(10)', unit: 'ns/iter', direction: 'lower', interval: { low: 39.4, high: 43.6 } },
      { name: 'requests', unit: 'ops/s', direction: 'higher', interval: { low: 11_820, high: 12_180 } },
      { name: 'heap', unit: 'bytes', value: 50e6, interval: null },
    ]);
  });

  it("github-action-benchmark's history: a result a commit, the newest of all suites together", () => {
    const history = readSample('github-action-benchmark-history.json');
    expect(history.map(({ metrics }) => metrics.get('parse')?.value)).toEqual([1e6, 1.02e6, 0.99e6]);
    expect(history.at(-1)?.metrics.get('score')).toMatchObject({ value: 70, direction: 'higher' });
  });
});

describe('our own', () => {
  it('gives each percentile that has enough samples, and says what the others need', () => {
    const [result] = parseResults(benchResult(), 'file');
    expect([...(result?.metrics.keys() ?? [])]).toEqual([
      'pause.p50',
      'pause.p90',
      'pause.p99',
      'digest/2-threads.p50',
    ]);
    expect(result?.calibrations.get('handshake.p50')?.value).toBe(400);
    expect(result?.absent.get('pause.p99.9')).toBe('it needs 10,000 samples, and there are 1000');
    expect(result?.absent.get('peers')).toBe('qemu is not installed');
  });
});

describe('what cannot be read', () => {
  it.each([
    ['nothing', '', 'but received nothing'],
    ['no JSON', 'bench: 12 ms', "Expected JSON for file.json but received 'bench: 12 ms…'"],
    ['NaN, which is no JSON', '{"a": {"latency": {"value": NaN}}}', 'Expected JSON for file.json'],
    ['another JSON', '{"a": 1}', 'Expected a result of standstill bench, hyperfine'],
    ['a bare number', '3', 'Expected a result of'],
    ['no metric', '{"results": []}', 'Expected one metric at least in file.json (hyperfine) but found none'],
    ['an empty object', '{}', 'Expected one metric at least'],
    [
      'a value that is null, as JSON writes NaN',
      '{"a": {"latency": {"value": null}}}',
      "Expected a finite number for 'a.latency.value' of file.json but received null",
    ],
    [
      'text for a number',
      '{"results": [{"command": "x", "median": "1"}]}',
      "Expected a finite number for 'results.0.median' of file.json but received '1'",
    ],
    [
      'a later version of our own',
      benchResult().replace('"schemaVersion":1', '"schemaVersion":2'),
      "Expected version 1, the only one that this release reads, for 'schemaVersion' of file.json but received 2",
    ],
  ])('%s', (_, json, message) => {
    expect(failing(json)).toThrow(
      expect.objectContaining({ code: 'ERR_GATE_INPUT', message: expect.stringContaining(message) }),
    );
  });
});
