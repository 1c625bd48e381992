// Ctrl-C in the middle of a case of `standstill bench`: its VMs, child processes and files are gone, and no result is told.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startCli, withTemporaryFolder } from '../fixtures/cli.js';

const TIMEOUT = { timeout: 120_000 };
const POLL = { timeout: 60_000, interval: 5 };
const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function startBench(folder: string, ...args: string[]) {
  return startBenchIn({ STANDSTILL_BENCH_PROGRAMS: folder, TMPDIR: folder }, folder, ...args);
}

function startBenchIn(env: Record<string, string>, folder: string, ...args: string[]) {
  const out = join(folder, 'result.json');
  const { child, ended } = startCli(['bench', ...args, '--json', '--out', out], env);
  let said = '';
  child.stderr?.on('data', (data) => {
    said += data;
  });
  return { child, ended, pid: child.pid ?? 0, said: () => said };
}

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, code) => {
  it('ends the process that a case measures in, and says what had been measured', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const bench = startBench(path, '--quick', '--only', 'pause-js,memory');
      await expect.poll(() => bench.said().includes('● memory'), POLL).toBe(true);
      await expect.poll(() => childrenOf(bench.pid).length, POLL).toBe(1);
      const [measuring = 0] = childrenOf(bench.pid);
      bench.child.kill(signal);
      const { exitCode, stdout, stderr } = await bench.ended;
      expect([exitCode, stdout]).toEqual([code, '']);
      expect(stderr).toMatch(/Interrupted during memory: nothing was written\. pause-js had been measured\.\n$/);
      await expect.poll(() => isAlive(measuring), POLL).toBe(false);
      expect(entries()).toEqual([]);
    });
  });

  it('ends beside the limits of the machine, whose program a terminal ends as well', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const bench = startBenchIn({ TMPDIR: path }, path, '--only', 'memory');
      await expect.poll(() => bench.said().includes('● memory'), { timeout: 100_000 }).toBe(true);
      for (const pid of [...childrenOf(bench.pid), bench.pid]) process.kill(pid, signal);
      const { exitCode, stdout, stderr } = await bench.ended;
      expect([exitCode, stdout]).toEqual([code, '']);
      expect(stderr).toMatch(/Interrupted during memory: nothing was written\.\n$/);
      expect(entries()).toEqual([]);
    });
  });

  it.each([
    ['restore-file', '64MiB'],
    ['rollback', '16MiB'],
    ['pause-js', '64MiB'],
  ])('in the turns of %s', TIMEOUT, async (name, memory) => {
    await withTemporaryFolder(async ({ path, entries }) => {
      const bench = startBench(path, '--only', name, '--memory', memory, '--duration', '1h');
      await expect.poll(() => bench.said().includes(`● ${name}`), POLL).toBe(true);
      if (name === 'restore-file') await expect.poll(() => entries().length, POLL).toBeGreaterThan(0);
      bench.child.kill(signal);
      const { exitCode, stdout, stderr } = await bench.ended;
      expect([exitCode, stdout]).toEqual([code, '']);
      expect(stderr).toContain(`Interrupted during ${name}: nothing was written.\n`);
      expect(entries()).toEqual([]);
    });
  });

  it('in a case without turns', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const bench = startBench(path, '--only', 'deadline-busy');
      await expect.poll(() => bench.said().includes('● deadline-busy'), POLL).toBe(true);
      bench.child.kill(signal);
      const { exitCode, stdout } = await bench.ended;
      expect([exitCode, stdout]).toEqual([code, '']);
    });
  });
});
