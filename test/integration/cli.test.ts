import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCli, withTemporaryFolder } from '../fixtures/cli.js';
import { patchPath } from '../fixtures/patches.js';

/** Small and quick; with a patch of its own, so that no components are written. */
const QUICK = ['run', '--memory', '1MiB', '--duration', '20ms', '--patch', patchPath('writes-file.mjs')];
const TIMEOUT = { timeout: 120_000 };

const VM_KEYS = {
  name: expect.any(String),
  program: expect.any(String),
  ramBytes: 1024 ** 2,
  memory: 'preserved',
  digestBefore: expect.stringMatching(/^[0-9a-f]{16}$/),
  digestAfter: expect.stringMatching(/^[0-9a-f]{16}$/),
  bytesRead: 1024 ** 2,
  stepsBefore: expect.any(Number),
  stepsAfter: expect.any(Number),
  invariantsOk: true,
  blackoutNs: expect.any(Number),
  phases: {
    requestNs: expect.any(Number),
    haltNs: expect.any(Number),
    digestNs: expect.any(Number),
    patchNs: expect.any(Number),
    resumeNs: expect.any(Number),
    syncNs: expect.any(Number),
  },
  clockLagBeforeNs: expect.any(Number),
  clockLagAfterNs: expect.any(Number),
  clockBracketNs: expect.any(Number),
  resumedBy: 'caller',
};

describe('standstill run', () => {
  it('with no argument: four VMs, three built-in patches, a verdict', TIMEOUT, async () => {
    const { stdout, stderr, exitCode } = await runCli(['run']);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    for (const vm of ['kv-store-1', 'queue-2', 'page-writer-3', 'ticker-4']) expect(stdout).toContain(vm);
    for (const patch of ['decompress', 'verify', 'replace']) expect(stdout).toContain(patch);
    expect(stdout).toContain('✔ Memory preserved: 4 of 4 VMs');
    expect(stdout).not.toContain('\u001b[');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('--quiet leaves the verdict of the text, and errors', TIMEOUT, async () => {
    const { stdout, stderr, exitCode } = await runCli([...QUICK, '--quiet']);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(stdout.trim().split('\n')).toEqual([
      '✔ Memory preserved: 4 of 4 VMs',
      expect.stringMatching(/^ {2}4 MiB compared, longest blackout/),
    ]);
    const failed = await runCli([...QUICK, '--quiet', '--fault', 'flip-bit']);
    expect(failed).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('✘ Not preserved as promised') });
    expect(await runCli([...QUICK, '--quiet', '--vms', '0'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--vms'),
    });
  });

  it('--json prints exactly one object of the documented shape', TIMEOUT, async () => {
    const { stdout, stderr, exitCode } = await runCli([...QUICK, '--json', '--seed', '7', '--budget', '29s']);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ schemaVersion: 1, ok: true, seed: 7, budgetMs: 29_000 });
    expect(report.vms).toHaveLength(4);
    for (const vm of report.vms) {
      expect(vm).toMatchObject(VM_KEYS);
      expect(vm.digestAfter).toBe(vm.digestBefore);
      expect(vm.stepsAfter).toBe(vm.stepsBefore);
    }
    expect(report.patches).toMatchObject([{ name: 'writes-file', ok: true, durationNs: expect.any(Number) }]);
  });

  it('takes its VMs and programs from the flags', TIMEOUT, async () => {
    const flags = ['--vms', '3', '--program', 'idle', '--program', 'hash-chain', '--json'];
    const { stdout } = await runCli([...QUICK, ...flags]);
    const programs = JSON.parse(stdout).vms.map(({ program }: { program: string }) => program);
    expect(programs).toEqual(['idle', 'hash-chain', 'idle']);
  });

  it('what a patch prints goes to standard error', TIMEOUT, async () => {
    const { stdout, stderr } = await runCli([...QUICK, '--patch', patchPath('prints.mjs'), '--json']);
    expect(JSON.parse(stdout).ok).toBe(true);
    expect(stderr).toBe('a line from a patch\n');
  });

  it('control: a flipped bit is found, its page is named, and the exit code is 1', TIMEOUT, async () => {
    const { stdout, exitCode } = await runCli([...QUICK, '--fault', 'flip-bit=queue-2', '--json']);
    expect(exitCode).toBe(1);
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(false);
    expect(report.vms.map(({ memory }: { memory: string }) => memory)).toEqual([
      'preserved',
      'changed',
      'preserved',
      'preserved',
    ]);
    expect(report.vms[1].changedPages.count).toBe(1);
    expect(report.problems[0]).toMatch(/^queue-2: memory changed in 1 page, first page \d+ \(0x[0-9a-f]+\)$/);
  });

  it.each([
    ['a patch that fails', ['--patch', patchPath('throws.mjs')], /patch throws failed: deliberate/],
    ['no proof', ['--proof', 'none'], /memory is unproven/],
  ])('%s: exit code 1, and the verdict says why', TIMEOUT, async (_, flags, problem) => {
    const { stdout, exitCode } = await runCli([...QUICK, ...flags]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('✘ Not preserved as promised');
    expect(stdout).toMatch(problem);
  });

  it('leaves no temporary folder behind', TIMEOUT, async () => {
    await withTemporaryFolder(async (folder) => {
      await runCli(QUICK, { TMPDIR: folder.path });
      expect(folder.entries()).toEqual([]);
    });
  });
});

describe('usage errors: exit code 2, one clear sentence, no stack', () => {
  it.each([
    [['run', '--memory', '0'], /multiple of 4 KiB from 1 MiB to 64 GiB for 'memory' of a VM but received 0/],
    [['run', '--memory', '-1MiB'], /'memory' of a VM but received '-1MiB'/],
    [['run', '--memory', 'NaN'], /'memory' of a VM but received 'NaN'/],
    [['run', '--memory', '64GiB'], /at most this machine's/],
    [['run', '--vms', '0'], /whole number from 1 to 1000 for --vms but received '0'/],
    [['run', '--vms', 'many'], /--vms but received 'many'/],
    [['run', '--program', 'kv-stor'], /did you mean 'kv-store'/],
    [['run', '--budget', '30'], /--budget but received '30'/],
    [['run', '--budget', '0s'], /--budget but received '0s'/],
    [['run', '--duration', 'x'], /--duration/],
    [['run', '--proof', 'some'], /full, sampled, none for --proof/],
    [['run', '--seed', '1.5'], /--seed/],
    [['run', '--fault', 'meteor'], /--fault/],
    [['run', '--unknown'], /unknown option '--unknown'/],
    [['run', '--memry', '1MiB'], /Did you mean --memory\?/],
    [
      ['run', 'no-such.yaml'],
      /Expected a scenario file for no-such.yaml but there is no such file.*ERR_SCENARIO_INVALID/,
    ],
    [['run', 'a.yaml', 'surplus'], /too many arguments/],
    [['rnu'], /unknown command 'rnu'/],
    [['verify', '--program', 'x'], /ERR_UNKNOWN_PROGRAM/],
    [['verify', '--steps', '0'], /--steps/],
    [[...QUICK, '--patch', 'no-such-patch.mjs'], /Expected a patch module at .*no-such-patch.mjs.*ERR_PATCH_NOT_FOUND/],
    [[...QUICK, '--patch', patchPath('no-function.mjs')], /a function as the default export.*ERR_PATCH_INVALID/],
    [[...QUICK, '--patch', patchPath('syntax-error.mjs')], /ERR_PATCH_INVALID/],
  ])('%j', TIMEOUT, async (args, message) => {
    const { stdout, stderr, exitCode } = await runCli(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });
});

describe('standstill verify', () => {
  it('proves every program by twin runs', TIMEOUT, async () => {
    const { stdout, exitCode } = await runCli(['verify', '--memory', '1MiB', '--pauses', '5', '--json', '--seed', '3']);
    expect(exitCode).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ schemaVersion: 1, ok: true, seed: 3 });
    expect(report.programs.map(({ ok }: { ok: boolean }) => ok)).toEqual(Array(6).fill(true));
  });

  it('shows a table and a verdict', TIMEOUT, async () => {
    const { stdout, exitCode } = await runCli(['verify', '--program', 'queue', '--memory', '1MiB', '--steps', '5000']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/queue\s+5,000/);
    expect(stdout).toContain('✔ Deterministic');
  });
});

it.each([['--help'], ['run', '--help'], ['verify', '--help']])('%s %s: exit code 0', TIMEOUT, async (...args) => {
  const { stdout, exitCode } = await runCli(args);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^Usage: standstill/);
});

it('--version is that of the package', TIMEOUT, async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect((await runCli(['--version'])).stdout).toBe(`${version}\n`);
});
