import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { inspectSnapshotFile } from 'standstill';
import { expect, it } from 'vitest';
import { runCli, startCli, withTemporaryFolder } from '../fixtures/cli.js';

const TIMEOUT = { timeout: 120_000 };
const GUEST = ['--program', 'kv-store', '--memory', '2MiB', '--seed', '7'];

async function snapshot(...args: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await runCli(['snapshot', ...args]);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  return stdout;
}
const snapshotJson = async (...args: string[]) => JSON.parse(await snapshot(...args, '--json'));

it('restore runs on to a step and tells the digest that a run straight to that step has', TIMEOUT, async () => {
  await withTemporaryFolder(async ({ path, entries }) => {
    const [early, late] = [join(path, 'early.snap'), join(path, 'late.snap')];
    await snapshot('create', ...GUEST, '--steps', '100000', '--out', early);
    const straight = await snapshotJson('create', ...GUEST, '--steps', '200000', '--out', late);

    const restored = await snapshotJson('restore', early, '--steps', '200000');
    expect(restored).toEqual({
      schemaVersion: 1,
      path: early,
      id: (await inspectSnapshotFile(early)).id,
      program: 'kv-store',
      ramBytes: 2 * 1024 ** 2,
      stepsInFile: 100_000,
      steps: 200_000,
      digest: straight.digest,
      invariantsOk: true,
      violation: null,
    });
    const text = await snapshot('restore', early, '--steps', '200000');
    for (const part of ['Restored', '100,000 steps', 'step 100,000 on', '200,000', straight.digest, 'hold'])
      expect(text).toContain(part);

    // Without --steps it stays where the file is, which is another digest.
    const there = await snapshotJson('restore', early);
    expect(there).toMatchObject({ steps: 100_000, digest: (await snapshotJson('inspect', early)).digest });
    expect(there.digest).not.toBe(straight.digest);
    expect(entries().sort()).toEqual(['early.snap', 'late.snap']);
  });
});

it('restore takes a differential file with its bases, and a compressed one', TIMEOUT, async () => {
  await withTemporaryFolder(async ({ path }) => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => join(path, name)) as [string, string, string];
    await snapshot('create', ...GUEST, '--steps', '50000', '--out', a);
    await snapshot('create', ...GUEST, '--steps', '60000', '--out', b, '--base', a);
    const { digest } = await snapshotJson('create', ...GUEST, '--steps', '90000', '--out', c, '--compress');
    expect(await snapshotJson('restore', b, '--base', a, '--steps', '90000')).toMatchObject({ digest });
    expect(await snapshotJson('restore', c)).toMatchObject({ digest });
    const missing = await runCli(['snapshot', 'restore', b, '--steps', '90000']);
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toContain('ERR_SNAPSHOT_MISMATCH');
  });
});

it('restore refuses a step that has passed, a bad one, and a file with one altered byte of data', TIMEOUT, async () => {
  await withTemporaryFolder(async ({ path }) => {
    const file = join(path, 'a.snap');
    await snapshot('create', ...GUEST, '--steps', '50000', '--out', file);

    const passed = await runCli(['snapshot', 'restore', file, '--steps', '49999']);
    expect(passed).toMatchObject({ exitCode: 1, stdout: '' });
    expect(passed.stderr).toBe(
      'error: Expected a step of 50000 at least, where the snapshot is, for --steps but received 49999 (ERR_STEP_PASSED)\n',
    );
    const bad = await runCli(['snapshot', 'restore', file, '--steps', 'many']);
    expect(bad).toMatchObject({ exitCode: 2, stdout: '' });
    expect(bad.stderr).toContain('ERR_INVALID_OPTION');

    const { fileBytes } = await inspectSnapshotFile(file);
    const opened = await open(file, 'r+');
    await opened.write(Buffer.from([0xa5]), 0, 1, fileBytes - 4096);
    await opened.close();
    const damaged = await runCli(['snapshot', 'restore', file, '--steps', '60000']);
    expect(damaged).toMatchObject({ exitCode: 1, stdout: '' });
    expect(damaged.stderr).toContain('ERR_SNAPSHOT_DAMAGED');
  });
});

it('restore ends at Ctrl-C, however far the step is', TIMEOUT, async () => {
  await withTemporaryFolder(async ({ path, entries }) => {
    const file = join(path, 'a.snap');
    await snapshot('create', ...GUEST, '--steps', '10', '--out', file);
    const cli = startCli(['snapshot', 'restore', file, '--steps', '9000000000000000'], { TMPDIR: path });
    await expect.poll(() => entries().length, { timeout: 60_000 }).toBeGreaterThan(1); // the host's folder
    cli.child.kill('SIGINT');
    const [exitCode] = await once(cli.child, 'exit');
    expect(exitCode).toBe(130);
    expect(entries()).toEqual(['a.snap']);
  });
});

it.each([
  ['onto the snapshot itself', ['a.snap', '--raw', './a.snap']],
  ['onto its base', ['a.snap', '--base', 'base.snap', '--elf', 'base.snap']],
  ['twice to one place', ['a.snap', '--raw', 'a.out', '--elf', 'a.out']],
])('an export %s is refused before anything is read', async (_, args) => {
  const { exitCode, stderr } = await runCli(['snapshot', 'export', ...args]);
  expect(stderr).toContain('Expected a file of its own for an export but received');
  expect(exitCode).toBe(2);
});

it.each([
  ['a folder', (path: string) => path, /^error: Expected a file for --out but received the folder/],
  [
    'in no folder',
    (path: string) => join(path, 'none', 'a.snap'),
    /folder that can be written for --out but received ENOENT/,
  ],
])('a snapshot to be written to what is %s is refused before the guest runs', TIMEOUT, async (_, out, refusal) => {
  await withTemporaryFolder(async ({ path, entries }) => {
    // It would run for years.
    const args = ['snapshot', 'create', ...GUEST, '--steps', '9000000000000000', '--out', out(path)];
    const { exitCode, stderr } = await runCli(args);
    expect(stderr).toMatch(refusal);
    expect(exitCode).toBe(1);
    expect(entries()).toEqual([]);
  });
});
