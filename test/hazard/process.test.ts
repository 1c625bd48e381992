import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ProcessVm } from 'standstill';
import { describe, expect, it } from 'vitest';
import { startCli, withTemporaryFolder } from '../fixtures/cli.js';
import { availableFreezers, isAlive, parentOf, stateOf, tasksBelow } from '../fixtures/guests.js';

const TIMEOUT = { timeout: 60_000 };
const CHILD = fileURLToPath(new URL('./children/process.mjs', import.meta.url));
const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

interface Keeper {
  readonly child: ChildProcess;
  readonly supervisor: number;
  readonly pid: number;
  readonly group: string;
  readonly file: string;
}

/** Another process of ours, with a guest that is frozen. */
async function keeper(freezer: string, folder: string, budgetMs?: number): Promise<Keeper> {
  const file = join(folder, 'written');
  const args = [CHILD, freezer, file, ...(budgetMs === undefined ? [] : [`${budgetMs}`])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { pid, group } = JSON.parse(String(line));
  return { child, pid, group, file, supervisor: parentOf(pid) };
}

async function expectNothingLeft({ pid, supervisor, group }: Keeper): Promise<void> {
  await expect.poll(() => isAlive(supervisor), TIMEOUT).toBe(false);
  expect(isAlive(pid)).toBe(false);
  expect(tasksBelow(supervisor)).toEqual([]);
  if (group !== '') expect(existsSync(group)).toBe(false);
}

describe.each(await availableFreezers())('%s', (freezer) => {
  it('our process is killed while the guest is frozen: nothing is left', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const kept = await keeper(freezer, path);
      expect(tasksBelow(kept.supervisor).length).toBeGreaterThan(1);
      kept.child.kill('SIGKILL');
      await expectNothingLeft(kept);
    });
  });

  it('our process is stopped past the deadline: the guest is thawed by then', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const kept = await keeper(freezer, path, 1500);
      kept.child.kill('SIGSTOP');
      const frozenSize = sizeOf(kept.file);
      await expect.poll(() => sizeOf(kept.file), TIMEOUT).toBeGreaterThan(frozenSize);
      kept.child.kill('SIGKILL');
      await expectNothingLeft(kept);
    });
  });

  it('the supervisor is killed while the guest is frozen: the next one removes what it left', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      const kept = await keeper(freezer, path);
      const members = tasksBelow(kept.supervisor).map(({ id }) => Number(id.split('/')[0]));
      process.kill(kept.supervisor, 'SIGKILL');
      await expect.poll(() => isAlive(kept.supervisor)).toBe(false);
      (await ProcessVm.create({ command: 'true', freezer })).close();
      if (kept.group !== '') {
        expect(existsSync(kept.group)).toBe(false);
        await expect.poll(() => members.filter(isAlive)).toEqual([]);
      } else {
        // Without a group only the command itself is sure to go; its descendants are let run by nobody.
        await expect.poll(() => isAlive(kept.pid)).toBe(false);
        for (const pid of members.filter(isAlive)) process.kill(pid, 'SIGKILL');
      }
      kept.child.kill('SIGKILL');
    });
  });
});

it('the event loop is blocked past the deadline: the guest is thawed by then', TIMEOUT, async () => {
  await withTemporaryFolder(async ({ path }) => {
    const file = join(path, 'written');
    await using vm = await ProcessVm.create({
      command: '/bin/sh',
      args: ['-c', `while :; do printf x >>${file}; sleep 0.01; done`],
    });
    vm.start();
    await expect.poll(() => sizeOf(file)).toBeGreaterThan(0);
    const freeze = vm.freeze({ budgetMs: 300 });
    const frozenSize = sizeOf(file);
    while (freeze.remainingNs() > -2e9);
    expect(sizeOf(file)).toBeGreaterThan(frozenSize);
    const [record] = freeze.records();
    expect(record?.resumedBy).toBe('deadline');
    expect(process.hrtime.bigint() - (record?.resumedAtNs ?? 0n)).toBeGreaterThan(1_000_000_000n);
    expect(freeze.released).toBe(true);
    freeze.release();
    await freeze.settled();
    expect(freeze.records()[0]?.resumedBy).toBe('deadline');
    const next = vm.freeze();
    await sleep(400);
    expect(vm.state).toBe('paused');
    expect(() => vm.freeze()).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }));
    expect(() => vm.resume()).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }));
    next.release();
    expect(vm.state).toBe('running');
  });
});

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s to the command', (signal, code) => {
  it.each([
    ['before the guest is ready', ['--ready-line', 'never']],
    ['while the guest runs', ['--duration', '1h']],
    ['while the guest is frozen', ['--duration', '1ms', '--freeze', '1h', '--budget', '2h', '--freezer', 'signal']],
  ])('%s: nothing is left', TIMEOUT, async (_, args) => {
    await withTemporaryFolder(async ({ path }) => {
      const file = join(path, 'pid');
      const script = `echo $$ >${file}; sleep 3600 & wait`;
      const cli = startCli(['run', '--process', script, ...args]);
      await expect.poll(() => sizeOf(file), TIMEOUT).toBeGreaterThan(0);
      const pid = Number(readFileSync(file, 'utf8'));
      const supervisor = parentOf(pid);
      if (args.includes('--freeze')) await expect.poll(() => stateOf(pid), TIMEOUT).toBe('T');
      cli.child.kill(signal);
      const { exitCode, stdout, stderr } = await cli.ended;
      expect(stderr).toBe('Interrupted: the guest was thawed and ended.\n');
      expect(stdout).toBe('');
      expect(exitCode).toBe(code);
      await expect.poll(() => isAlive(supervisor)).toBe(false);
      expect(isAlive(pid)).toBe(false);
    });
  });
});
