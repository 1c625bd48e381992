import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startCli, withTemporaryFolder } from '../fixtures/cli.js';
import { patchPath } from '../fixtures/patches.js';

const TIMEOUT = { timeout: 120_000 };
const RUN = ['run', '--memory', '1MiB', '--vms', '2'];

/** Waits until the patch says, by a file in the host's folder, that it runs: the VMs are frozen then. */
const untilPatching = (entries: () => string[]) =>
  expect.poll(() => entries().some((path) => path.endsWith('started')), { timeout: 60_000 }).toBe(true);

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, code) => {
  it.each(['waits.mjs', 'loops.mjs'])('while %s patches: everything is cleaned up', TIMEOUT, async (patch) => {
    await withTemporaryFolder(async (folder) => {
      const cli = startCli([...RUN, '--duration', '10ms', '--patch', patchPath(patch)], { TMPDIR: folder.path });
      await untilPatching(folder.entries);
      cli.child.kill(signal);
      const { exitCode, stdout, stderr } = await cli.ended;
      expect(exitCode).toBe(code);
      expect(stdout).toBe('');
      expect(stderr).toContain('Interrupted: the VMs were resumed and closed');
      expect(folder.entries()).toEqual([]);
    });
  });

  it('while the VMs run, before the freeze', TIMEOUT, async () => {
    await withTemporaryFolder(async (folder) => {
      const cli = startCli([...RUN, '--duration', '1h'], { TMPDIR: folder.path });
      await expect.poll(() => folder.entries().length, { timeout: 60_000 }).toBeGreaterThan(0);
      cli.child.kill(signal);
      expect((await cli.ended).exitCode).toBe(code);
      expect(folder.entries()).toEqual([]);
    });
  });
});

it('a second Ctrl-C does not wait for anything', TIMEOUT, async () => {
  await withTemporaryFolder(async (folder) => {
    const cli = startCli([...RUN, '--duration', '10ms', '--patch', patchPath('loops.mjs')], { TMPDIR: folder.path });
    await untilPatching(folder.entries);
    cli.child.kill('SIGINT');
    cli.child.kill('SIGINT');
    const { exitCode, signal } = await cli.ended;
    // Two signals that are pending at once may arrive as one.
    expect(exitCode === 130 || signal === 'SIGINT').toBe(true);
    expect(folder.entries()).toEqual([]);
  });
});

it('a patch that is blocked in native code does not keep the command from ending', TIMEOUT, async () => {
  await withTemporaryFolder(async (folder) => {
    const fifo = join(folder.path, 'fifo');
    execFileSync('mkfifo', [fifo]);
    try {
      const args = [
        ...RUN,
        '--duration',
        '10ms',
        '--budget',
        '1s',
        '--patch',
        patchPath('blocks-natively-by-env.mjs'),
        '--json',
      ];
      const { stdout } = await startCli(args, { FIFO: fifo }).ended;
      const report = JSON.parse(stdout);
      expect(report.ok).toBe(false);
      expect(report.patches).toMatchObject([{ status: 'abandoned', error: { code: 'ERR_PATCH_ABANDONED' } }]);
    } finally {
      closeSync(openSync(fifo, 'r+'));
    }
  });
});
