// Where a freezer is found: in mounts of the test's own, and in a group that was handed to a user who is not root.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { hasTool } from '../../fixtures/tools.js';

const TIMEOUT = { timeout: 60_000 };
const CHILD = fileURLToPath(new URL('../../hazard/children/freezers.mjs', import.meta.url));
const V2 = 'mount -t cgroup2 none "$0/v2"';
const V1 = 'mount -t cgroup -o freezer none "$0/v1"';

/** Runs a script in a mount namespace in which nothing is mounted of cgroups but what it mounts below $0. */
function inMounts(folder: string, script: string): { status: number | null; stdout: string; stderr: string } {
  const alone = `set -e; umount -l -R /sys/fs/cgroup; mkdir -p "$0/v1" "$0/v2"; ${script}`;
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', alone, folder, process.execPath, CHILD];
  return spawnSync('unshare', args, { encoding: 'utf8', timeout: 50_000 });
}

/** Whether this user may mount these. */
const mayMount = async (mounts: string): Promise<boolean> => {
  let isDone = false;
  await withTemporaryFolder(async ({ path }) => {
    isDone = inMounts(path, mounts).status === 0;
  });
  return isDone;
};

const hasBoth = await mayMount(`${V1}; ${V2}`);
const ASK = '"$1" "$2" cgroup2 cgroup1 auto';
const FROZEN = { moved: null, state: 'running' };

describe.skipIf(!hasBoth)('in mounts of its own', () => {
  const outcomesOf = (folder: string, script: string) => {
    const { stdout, stderr } = inMounts(folder, script);
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  };

  it('version 2 beside a version 1 freezer: both are found there, and version 2 is taken', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const outcomes = outcomesOf(path, `${V1}; ${V2}; ${ASK}`);
      expect(outcomes).toMatchObject({
        cgroup2: { kind: 'cgroup2', group: expect.stringMatching(`^${path}/v2/`), ...FROZEN },
        cgroup1: { kind: 'cgroup1', group: expect.stringMatching(`^${path}/v1/`), ...FROZEN },
        auto: { kind: 'cgroup2', group: expect.stringMatching(`^${path}/v2/`), ...FROZEN },
      });
    });
  });

  it('version 1 alone: it is taken, and why not version 2', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const outcomes = outcomesOf(path, `${V1}; ${ASK}`);
      expect(outcomes).toMatchObject({
        cgroup2: { code: 'ERR_FREEZER_UNAVAILABLE', message: expect.stringContaining('no cgroup2 is mounted') },
        cgroup1: FROZEN,
        auto: { kind: 'cgroup1', why: expect.stringContaining('cgroup2: no cgroup2 is mounted'), ...FROZEN },
      });
    });
  });

  it('none of them: signals, and why', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      expect(outcomesOf(path, ASK)).toMatchObject({
        cgroup1: { code: 'ERR_FREEZER_UNAVAILABLE' },
        cgroup2: { code: 'ERR_FREEZER_UNAVAILABLE' },
        auto: { kind: 'signal', why: expect.stringMatching(/cgroup2: .*; cgroup1: /), ...FROZEN },
      });
    });
  });

  it('mounted for reading only: no group can be made, and the message says so', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const outcomes = outcomesOf(path, `mount -t cgroup2 -o ro none "$0/v2"; ${ASK}`);
      expect(outcomes.cgroup2).toMatchObject({
        code: 'ERR_FREEZER_UNAVAILABLE',
        message: expect.stringContaining('EROFS'),
      });
      expect(outcomes.auto).toMatchObject({ kind: 'signal', ...FROZEN });
    });
  });

  it.skipIf(!hasTool('setpriv'))(
    'a group that was handed to a user: without root, both versions',
    TIMEOUT,
    async () => {
      await withTemporaryFolder(async ({ path }) => {
        const own = `delegated-${process.pid}`;
        const hand = (version: string) =>
          `mkdir "$0/${version}/${own}"; chown -R 65534:65534 "$0/${version}/${own}"; echo $$ >"$0/${version}/${own}/cgroup.procs"`;
        const leave = (version: string) => `echo $$ >"$0/${version}/cgroup.procs"; rmdir "$0/${version}/${own}"`;
        const ask = 'setpriv --reuid 65534 --regid 65534 --clear-groups "$1" "$2" cgroup2 cgroup1 auto';
        const script = `chmod 755 "$0"; ${V1}; ${V2}; ${hand('v1')}; ${hand('v2')}; ${ask}; ${leave('v1')}; ${leave('v2')}`;
        expect(outcomesOf(path, script)).toMatchObject({
          cgroup2: { kind: 'cgroup2', group: expect.stringMatching(`^${path}/v2/.*${own}/standstill-`), ...FROZEN },
          cgroup1: { kind: 'cgroup1', group: expect.stringMatching(`^${path}/v1/.*${own}/standstill-`), ...FROZEN },
          auto: { kind: 'cgroup2', ...FROZEN },
        });
      });
    },
  );
});
