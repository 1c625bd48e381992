import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { benchResultSchema } from '../../src/bench/result-schema.js';

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'standstill-bench-test-'));
// No native program: what is tested here is the command, and a build of them takes a minute.
const env = { ...process.env, STANDSTILL_BENCH_PROGRAMS: folder, NO_COLOR: '1' };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function standstill(...args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    execFile(process.execPath, [MAIN, ...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

describe('standstill bench', () => {
  it('prints and writes a result that its own schema takes', async () => {
    const out = join(folder, 'result.json');
    const { code, stdout } = await standstill('bench', '--quick', '--only', 'cycles,pause-js', '--json', '--out', out);
    expect(code).toBe(0);
    const printed = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(printed);
    const result = benchResultSchema.parse(printed);
    expect(result.metrics.map(({ name }) => name)).toEqual([
      'pause-js',
      'cycles/pause-resume',
      'cycles/freeze-release',
    ]);
    for (const { measurement } of result.metrics) {
      expect(measurement.summary.samples).toBeGreaterThan(0);
      expect(measurement.summary.percentiles.p50).toBeGreaterThan(0);
      const { distribution, summary } = measurement;
      if (distribution.kind === 'samples') expect(distribution.values).toHaveLength(summary.samples);
    }
    expect(result.environment.cores).toBeGreaterThan(0);
    expect(result.warnings.join()).toContain('limits were not measured');
  });

  it('prints a table for people, with what it could not measure', async () => {
    const { code, stdout } = await standstill('bench', '--quick', '--only', 'cycles,store-cost');
    expect(code).toBe(0);
    expect(stdout).toMatch(/cycles pause\/resume\s+\d+\s+[\d,]+ \/s/);
    expect(stdout).toMatch(/store-cost: skipped: STANDSTILL_BENCH_PROGRAMS names/);
  });

  it('measures for as long as it is told to', async () => {
    const args = ['bench', '--quick', '--only', 'pause-js', '--memory', '1MiB', '--duration', '1s', '--json'];
    const { code, stdout, stderr } = await standstill(...args);
    expect(code).toBe(0);
    // No terminal: a line for each part as it begins.
    expect(stderr).toMatch(/^● the native programs .*\n● pause-js [\d.]+ m?s\n$/);
    const [metric] = benchResultSchema.parse(JSON.parse(stdout)).metrics;
    expect(metric?.params).toEqual({ program: 'page-writer', ramBytes: 2 ** 20 });
    expect(metric?.measurement.rounds.length).toBeGreaterThan(5);
  });

  it('refuses what it does not know, before anything is measured', async () => {
    for (const [args, message] of [
      [['--only', 'pase'], /Expected the name of a case for --only but received 'pase'/],
      [['--only', 'cycles', '--vms', '3'], /a case that takes --vms/],
      [['--only', 'pause', '--program', 'nothing'], /nothing/],
      [['--memory', 'much'], /--memory/],
      [['--duration', '0s'], /--duration/],
    ] as const) {
      const { code, stdout, stderr } = await standstill('bench', '--quick', ...args);
      expect([args, code, stdout]).toEqual([args, 2, '']);
      expect(stderr).toMatch(message);
    }
  });

  it('exports the schema of its result', async () => {
    const { code, stdout } = await standstill('bench', '--schema');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'object', properties: { metrics: { type: 'array' } } });
  });
});
