import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, startCli, withTemporaryFolder } from '../fixtures/cli.js';
import { linesOf } from '../fixtures/fleets.js';
import { patchPath } from '../fixtures/patches.js';

const APPENDS = patchPath('appends.mjs');
const SMALL = ['rollout', '--hosts', '2', '--vms', '4', '--memory', '1MiB'];
const TIMEOUT = { timeout: 120_000 };

const linesIn = (state: string, host: string) => linesOf({ directory: join(state, 'hosts', host) });

describe('standstill rollout', () => {
  it('patches one update domain after the other and proves it', TIMEOUT, () =>
    withTemporaryFolder(async ({ path }) => {
      const log = join(path, 'log.ndjson');
      const { exitCode, stdout, stderr } = await runCli([...SMALL, '--patch', APPENDS, '--log', log, '--json']);
      expect(stderr).toBe('');
      const { placement, report } = JSON.parse(stdout);
      expect(placement.map(({ vm, host }: { vm: string; host: string }) => `${vm} ${host}`)).toEqual([
        'web-0 host-1',
        'web-1 host-2',
        'web-2 host-1',
        'web-3 host-2',
      ]);
      expect(report).toMatchObject({ ok: true, status: 'done', invariants: { ok: true }, blackout: { samples: 4 } });
      expect(exitCode).toBe(0);
      const entries = readFileSync(log, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
      expect(entries.at(-1).type).toBe('fleet-closed');
    }),
  );

  it('shows people the placement, the domains, the blackout and the verdict', TIMEOUT, async () => {
    const { exitCode, stdout } = await runCli([...SMALL, '--set', 'web', '--set', 'db', '--order', '1,0']);
    expect(stdout).toMatch(/host-2 +1 +1 +web-1 db-1/);
    expect(stdout).toMatch(/Order of the update domains +1 → 0/);
    expect(stdout).toMatch(/Rolled out: 2 of 2 hosts are patched/);
    expect(stdout).toMatch(/p50 .*, p99 .*, longest/);
    expect(stdout).toMatch(/at most one update domain of each set was impacted: 8 impacts/);
    expect(exitCode).toBe(0);
  });

  it('shows the plan and does nothing', TIMEOUT, async () => {
    const { exitCode, stdout } = await runCli([...SMALL, '--plan', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      hosts: [
        { host: 'host-1', updateDomain: 0 },
        { host: 'host-2', updateDomain: 1 },
      ],
      steps: [
        { updateDomain: 0, hosts: ['host-1'] },
        { updateDomain: 1, hosts: ['host-2'] },
      ],
    });
    expect(JSON.parse(stdout).vms).toHaveLength(4);
    expect(exitCode).toBe(0);
  });

  it('stops at a failure, says how to go on, and goes on', TIMEOUT, () =>
    withTemporaryFolder(async ({ path }) => {
      const mended = join(path, 'mended');
      const patch = join(path, 'patch.mjs');
      writeFileSync(
        patch,
        `import appends from ${JSON.stringify(APPENDS)};
        export default (_, context) => appends({ failsOn: ['host-2'], unless: ${JSON.stringify(mended)} }, context);`,
      );
      const state = join(path, 'state');
      const command = [...SMALL, '--patch', patch, '--state', state];
      const first = await runCli(command);
      expect(first.stdout).toMatch(/The rollout has stopped at a failure: 1 of 2 hosts/);
      expect(first.stdout).toMatch(/host-2: patch patch failed: deliberate/);
      expect(first.stderr).toMatch(/The same command with --resume goes on with it/);
      expect(first.exitCode).toBe(1);
      const again = await runCli(command);
      expect(again.stderr).toMatch(/one has stopped and can be resumed or abandoned \(ERR_ROLLOUT_ACTIVE\)/);
      expect(again.exitCode).toBe(1);
      writeFileSync(mended, '');
      expect(await runCli([...command, '--resume'])).toMatchObject({ exitCode: 0 });
      expect([linesIn(state, 'host-1'), linesIn(state, 'host-2')]).toEqual([['applied'], ['applied']]);
    }),
  );

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends it after the host under way, and it can be taken back', TIMEOUT, (signal, code) =>
    withTemporaryFolder(async ({ path: state }) => {
      const command = [...SMALL, '--patch', APPENDS, '--rollback-patch', APPENDS, '--state', state];
      const { child, ended } = startCli([...command, '--pause-between', '1h']);
      const first = join(state, 'hosts', 'host-1', 'applied.log');
      await expect.poll(() => existsSync(first), { timeout: 60_000 }).toBe(true);
      child.kill(signal);
      const end = await ended;
      expect(end.exitCode).toBe(code);
      expect(end.stdout).toMatch(/The rollout was interrupted: 1 of 2 hosts are patched/);
      expect(end.stderr).toMatch(/with --roll-back takes it back/);
      const back = await runCli([...command, '--roll-back', '--json']);
      expect(JSON.parse(back.stdout).report).toMatchObject({ status: 'rolled-back' });
      expect(back.exitCode).toBe(1);
      expect(linesIn(state, 'host-1')).toEqual(['applied', 'applied']);
      expect(linesIn(state, 'host-2')).toEqual([]);
    }),
  );

  it.each([
    [['--domains', '3'], /at most 2, one for each host/],
    [['--domains', '21'], /from 1 to 20 for --domains/],
    [['--fault-domains', '4'], /from 1 to 3 for --fault-domains/],
    [['--order', '0,2'], /update domains from 0 to 1 .* received 2/],
    [['--order', '0,0'], /received 0 twice/],
    [['--order', 'x'], /such as '2,0,1' for --order/],
    [['--set', 'a', '--set', 'a'], /each name once for --set/],
    [['--on-failure', 'ignore'], /'stop' or 'rollback' for --on-failure/],
    [['--plan', '--log', '/tmp/nowhere'], /one of --plan and --log/],
    [['--on-failure', 'rollback'], /'rollbackPatches'/],
    [['--in-doubt', 'maybe'], /'applied' or 'not-applied' for --in-doubt/],
    [['--patch', '/no/such.mjs'], /no such file/],
    [['--resume'], /--state with --resume/],
    [['--state', '/tmp/nowhere'], /--patch with --state/],
    [['--program', 'nothing'], /nothing/],
    [['--bogus'], /unknown option/],
  ])('%j is a usage error', TIMEOUT, async (args, message) => {
    const { exitCode, stderr } = await runCli([...SMALL, ...args]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/ at .*\.js/);
    expect(exitCode).toBe(2);
  });
});
