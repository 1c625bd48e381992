// standstill doctor: each check tries what it tells of, so each control takes one thing away and one check turns red.
import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli, withTemporaryFolder } from '../fixtures/cli.js';

const TIMEOUT = { timeout: 180_000 };
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const isRoot = process.getuid?.() === 0;

interface Report {
  ok: boolean;
  checks: {
    id: string;
    status: string;
    required: boolean;
    found: string;
    consequence: string;
    remedy: string | null;
    values: Record<string, unknown>;
  }[];
}

const checkOf = ({ checks }: Report, id: string) => {
  const found = checks.find((check) => check.id === id);
  if (found === undefined) throw new Error(`Expected a check ${id}`);
  return found;
};

/** The examination behind a shell's preparation. */
function examineBehind(preparation: string, env: NodeJS.ProcessEnv = {}): { report: Report; exitCode: number | null } {
  const command = `${preparation} "${process.execPath}" "${MAIN}" doctor --json`;
  const { stdout, stderr, status } = spawnSync('/bin/sh', ['-c', command], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (stdout === '') throw new Error(stderr);
  expect(stderr).toBe('');
  return { report: JSON.parse(stdout), exitCode: status };
}

describe('standstill doctor', () => {
  it('says of each thing how it stands, what follows and what mends it; maintenances work here', TIMEOUT, () => {
    const { report, exitCode } = examineBehind('exec');
    expect(exitCode).toBe(0);
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ id }) => id)).toEqual([
      ...['engine', 'maintenance', 'carry-less-multiplication', 'cores', 'memory', 'timer', 'noise'],
      ...['memfd', 'huge-pages', 'userfaultfd', 'freezer-cgroup2', 'freezer-cgroup1', 'freezer-signal'],
      ...['process-memory', 'network-namespace', 'compiler', 'cmake'],
    ]);
    for (const { status, found, consequence, remedy, required } of report.checks) {
      expect(['ok', 'limited', 'missing']).toContain(status);
      expect(found).not.toBe('');
      expect(consequence).not.toBe('');
      expect(remedy === null).toBe(status === 'ok');
      if (required) expect(status).not.toBe('missing');
    }
    expect(checkOf(report, 'maintenance').values.blackoutNs).toBeGreaterThan(0);
    expect(checkOf(report, 'carry-less-multiplication').values.gigabytesPerSecond).toBeGreaterThan(0);
  });

  it('is read by people, too', TIMEOUT, async () => {
    const { exitCode, stdout } = await runCli(['doctor', '--no-color']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^✔ a maintenance +a VM of 16 MiB was frozen, its host patched, its memory preserved/m);
    expect(stdout).toMatch(/^✔ Maintenances of VMs work here/m);
    expect(await runCli(['doctor', '--jsn'])).toMatchObject({ exitCode: 2 });
  });
});

describe('a control of it', () => {
  it('without the engine nothing works, and it says how to get one', TIMEOUT, () => {
    const { report, exitCode } = examineBehind('exec', { STANDSTILL_ADDON: '/not-there.node' });
    expect(exitCode).toBe(1);
    expect(report.ok).toBe(false);
    expect(checkOf(report, 'engine')).toMatchObject({
      status: 'missing',
      remedy: expect.stringMatching('npm rebuild'),
    });
    expect(checkOf(report, 'compiler').status).toBe('ok');
  });

  it('where files may not grow, no VM has memory', TIMEOUT, () => {
    const { report, exitCode } = examineBehind('ulimit -f 0; exec');
    expect(exitCode).toBe(1);
    expect(checkOf(report, 'engine').status).toBe('ok');
    expect(checkOf(report, 'memfd')).toMatchObject({ status: 'missing', found: 'EFBIG: File too large' });
    expect(checkOf(report, 'maintenance').status).toBe('missing');
    expect(checkOf(report, 'memory')).toMatchObject({ status: 'missing', remedy: expect.stringMatching('ulimit -f') });
  });

  it('on one core guest and host take turns', TIMEOUT, () => {
    const { report, exitCode } = examineBehind('exec taskset 1');
    expect(exitCode).toBe(0);
    expect(checkOf(report, 'cores')).toMatchObject({ status: 'limited', values: { allowed: 1 } });
    expect(checkOf(report, 'cores').values.toBeHad).toBeLessThan(1.5);
  });

  it('without tools there is no compiler and no network namespace, and maintenances work', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const sleep = spawnSync('/bin/sh', ['-c', 'command -v sleep'], { encoding: 'utf8' }).stdout.trim();
      symlinkSync(sleep, join(path, 'sleep'));
      const { report, exitCode } = examineBehind('exec', { PATH: path, CXX: undefined });
      expect(exitCode).toBe(0);
      for (const id of ['compiler', 'cmake', 'network-namespace']) {
        expect(checkOf(report, id)).toMatchObject({ status: 'missing', found: expect.stringMatching('ENOENT') });
      }
      expect(checkOf(report, 'freezer-signal').status).toBe('ok');
    });
  });

  it.runIf(isRoot)('who is not root has no group of his own, and is frozen by signals', TIMEOUT, () => {
    const { report, exitCode } = examineBehind('exec setpriv --reuid=65534 --regid=65534 --clear-groups');
    expect(exitCode).toBe(0);
    for (const id of ['freezer-cgroup2', 'freezer-cgroup1']) expect(checkOf(report, id).status).toBe('missing');
    expect(checkOf(report, 'freezer-signal').status).toBe('ok');
    expect(checkOf(report, 'process-memory').status).toBe('ok');
  });
});
