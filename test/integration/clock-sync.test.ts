// How guests' clocks catch up: each VM by its own policy, or all of them by that of a freeze.
import { setTimeout } from 'node:timers/promises';
import { type FreezeOptions, type FreezeRecord, Host, type VmOptions } from 'standstill';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startedVm } from '../fixtures/hosts.js';

/** Two pairs of readings of the host's clocks, each cut to its nanosecond. */
const RESOLUTION_NS = 4;

let host: Host;
beforeEach(async () => {
  host = await Host.create();
});
afterEach(() => host.close());

/** One freeze of all VMs, long enough that its length is no matter of clock readings. */
async function frozen(options: FreezeOptions = {}): Promise<FreezeRecord[]> {
  await using scope = host.freeze({ handshakeTimeoutMs: 10_000, ...options });
  await setTimeout(5);
  scope.release();
  await scope.settled();
  return scope.records();
}

async function recordOf(name: string, options: FreezeOptions = {}): Promise<FreezeRecord> {
  const record = (await frozen(options)).find((each) => each.name === name);
  if (record === undefined) throw new Error(`Expected a record of ${name} but received none`);
  return record;
}

const expectRight = (vm: { clockLagAfterNs: number | null; clockBracketNs: number | null } | undefined) =>
  expect(Math.abs(vm?.clockLagAfterNs ?? Number.NaN)).toBeLessThanOrEqual((vm?.clockBracketNs ?? 0) + RESOLUTION_NS);

describe('in one freeze', () => {
  it("a VM without synchronisation lags by its pause, to the clock reads' bracket; another one is right", async () => {
    const stays = await startedVm(host, { name: 'stays', program: 'kv-store', clockSync: { mode: 'off' } });
    await startedVm(host, { name: 'steps', program: 'queue', clockSync: { mode: 'step' } });
    const before = await recordOf('stays');
    const pausedBeforeNs = stays.stats().clock.pausedTotalNs;
    const [off, step] = await frozen();
    const pauseNs = stays.stats().clock.pausedTotalNs - pausedBeforeNs;
    expect(pauseNs).toBeGreaterThan(0);
    expect(off?.syncedBy).toBe('off');
    const grownNs = (off?.clockLagAfterNs ?? Number.NaN) - before.clockLagAfterNs;
    expect(Math.abs(grownNs - pauseNs)).toBeLessThanOrEqual(
      before.clockBracketNs + (off?.clockBracketNs ?? 0) + RESOLUTION_NS,
    );
    expect(step?.syncedBy).toBe('step');
    expectRight(step);
  });

  it('each waits for its own delay', async () => {
    await startedVm(host, { name: 'slews', program: 'queue', clockSync: { mode: 'slew', delayMs: 40, slewPpm: 1000 } });
    await startedVm(host, { name: 'later', program: 'queue', clockSync: { delayMs: 80 } });
    const [slews, later] = await frozen();
    if (slews === undefined || later === undefined) throw new Error('Expected two records');
    expect([slews.syncedBy, later.syncedBy]).toEqual(['slew', 'step']);
    expect(slews.syncedAtNs - slews.releasedAtNs).toBeGreaterThanOrEqual(40_000_000n);
    expect(later.syncedAtNs - later.releasedAtNs).toBeGreaterThanOrEqual(80_000_000n);
    expectRight(later);
  });

  it('a policy that the freeze names holds for all, those that are created, restored and cloned', async () => {
    const source = await startedVm(host, { name: 'source', program: 'queue', clockSync: { mode: 'off' } });
    source.pause();
    const snapshot = await source.snapshot();
    const restored = await host.restore(snapshot, { name: 'restored', clockSync: { mode: 'off' } });
    const [clone] = await host.clone(snapshot, 1, { name: 'clone', clockSync: { mode: 'off' } });
    const plain = await host.restore(snapshot, { name: 'plain' });
    for (const vm of [source, restored, clone, plain]) vm?.resume();
    const own = (await frozen()).map(({ name, syncedBy }) => `${name} ${syncedBy}`);
    expect(own).toEqual(['source off', 'restored off', 'clone-1 off', 'plain step']);
    const stepped = await frozen({ clockSync: { mode: 'step' } });
    expect(stepped.map(({ syncedBy }) => syncedBy)).toEqual(['step', 'step', 'step', 'step']);
    for (const record of stepped) expectRight(record);
  });
});

it('a maintenance tells of each VM how its clock was synchronised, and by which bracket', async () => {
  await startedVm(host, { program: 'kv-store', clockSync: { mode: 'off' } });
  await startedVm(host, { program: 'queue' });
  const own = await host.applyMaintenance({ budgetMs: 60_000 });
  expect(own.problems).toEqual([]);
  expect(own.vms.map(({ syncedBy }) => syncedBy)).toEqual(['off', 'step']);
  expect(own.vms[0]?.clockLagAfterNs).toBeGreaterThan(own.vms[0]?.clockBracketNs ?? Number.NaN);
  expectRight(own.vms[1]);
  const named = await host.applyMaintenance({ budgetMs: 60_000, clockSync: {} });
  expect(named.vms.map(({ syncedBy }) => syncedBy)).toEqual(['step', 'step']);
  for (const vm of named.vms) expectRight(vm);
});

describe('refuses', () => {
  it.each([
    ['step', 'ERR_INVALID_OPTION'],
    [null, 'ERR_INVALID_OPTION'],
    [{ mode: 'jump' }, 'ERR_INVALID_OPTION'],
    [{ delayMs: -1 }, 'ERR_INVALID_OPTION'],
    [{ delayMs: Number.NaN }, 'ERR_INVALID_OPTION'],
    [{ slewPpm: 0 }, 'ERR_INVALID_OPTION'],
    [{ slewPpm: 0.5 }, 'ERR_INVALID_OPTION'],
    [{ slewPpm: 100_001 }, 'ERR_INVALID_OPTION'],
    [{ delay: 1 }, 'ERR_UNKNOWN_OPTION'],
  ])('%j, of a VM and of a freeze', async (clockSync, code) => {
    const options = { program: 'queue', memory: '1 MiB', clockSync } as VmOptions;
    await expect(host.createVm(options)).rejects.toMatchObject({ code });
    expect(host.vms).toEqual([]);
    await host.createVm({ program: 'queue', memory: '1 MiB' });
    expect(() => host.freeze({ clockSync } as FreezeOptions)).toThrow(expect.objectContaining({ code }));
    await expect(host.applyMaintenance({ clockSync } as FreezeOptions)).rejects.toMatchObject({ code });
  });

  it("a policy for a process, whose clock is the host's", async () => {
    const options = { command: 'sleep', clockSync: {} } as never;
    await expect(host.createProcessVm(options)).rejects.toMatchObject({ code: 'ERR_UNKNOWN_OPTION' });
  });
});
